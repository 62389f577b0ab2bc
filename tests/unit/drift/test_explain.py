"""Differences as meaning: real outputs, changed by program, and what is said about the change."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import drift
from lab.drift import Kind
from lab.drift.reading import read

HERE = Path(__file__).parent
CHAPTER = HERE.parents[2] / "snippets/pod_to_pod"
SAMPLES = {path.stem: path.read_text() for path in sorted((HERE / "samples").glob("*.out"))}
CAPTURES = {path.stem: path.read_text() for path in sorted(CHAPTER.glob("*.out"))}
TEXTS = {**{f"samples/{name}": text for name, text in SAMPLES.items()}, **CAPTURES}

Change = Callable[[str], str]
Wanted = list[tuple[Kind, str, str]]


def swap(old: str, new: str) -> Change:
    """Replace the only place of a text."""

    def change(text: str) -> str:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        return text.replace(old, new)

    return change


def first(old: str, new: str) -> Change:
    """Replace the first place of a text."""
    return lambda text: text.replace(old, new, 1)


def every(old: str, new: str) -> Change:
    """Replace all places of a text."""
    return lambda text: text.replace(old, new)


def drop(pattern: str, *, count: int = 1) -> Change:
    """Take out the lines that a pattern matches."""

    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        kept = [line for line in lines if not re.search(pattern, line)]
        assert len(lines) - len(kept) == count, f"{pattern} matches {len(lines) - len(kept)} lines"
        return "".join(kept)

    return change


def below(pattern: str, line: str) -> Change:
    """Put a line below the first one that a pattern matches."""

    def change(text: str) -> str:
        lines = text.splitlines()
        place = next(number for number, each in enumerate(lines) if re.search(pattern, each))
        return "\n".join([*lines[: place + 1], line, *lines[place + 1 :]]) + "\n"

    return change


def switch(one: str, other: str) -> Change:
    """Let two lines change places."""

    def change(text: str) -> str:
        lines = text.splitlines()
        a, b = (next(n for n, line in enumerate(lines) if re.search(pattern, line)) for pattern in (one, other))
        lines[a], lines[b] = lines[b], lines[a]
        return "\n".join(lines) + "\n"

    return change


SVC = "KUBE-SVC-LOLE4ISW44XBNF3G"
NPX = "KUBE-SVC-NPX46M4PTMTKRN6Y"
CALI = "calibd2348b4f67"

CASES: dict[str, tuple[str, Change, Wanted]] = {
    "route missing": (
        "the_brief_line",
        drop("^172"),
        [(Kind.ROUTE_MISSING, "172.16.196.148/32", "node01: the route to 172.16.196.148 is missing")],
    ),
    "device": (
        "the_brief_line",
        swap(CALI, "calice0906292e2"),
        [(Kind.DEVICE_CHANGED, "172.16.196.148/32", f"leaves through calice0906292e2, not through {CALI}")],
    ),
    "next hop": (
        "routes_to_other_nodes",
        first("192.168.56.12 dev", "192.168.56.11 dev"),
        [(Kind.NEXT_HOP_CHANGED, "172.16.140.64/26", "controlplane: the route to 172.16.140.64/26 goes by 192")],
    ),
    "route type": (
        "routes_to_other_nodes",
        swap("blackhole 172.16.196.128/26", "prohibit 172.16.196.128/26"),
        [(Kind.ROUTE_TYPE_CHANGED, "172.16.196.128/26", "is of type prohibit, not blackhole")],
    ),
    "a type that takes the next hop with it": (
        "samples/routes",
        first("172.16.49.64/26 via 192.168.56.10 dev tunl0 proto bird onlink", "blackhole 172.16.49.64/26 proto bird"),
        [(Kind.ROUTE_TYPE_CHANGED, "172.16.49.64/26", "is of type blackhole, not unicast")],
    ),
    "route added": (
        "routes_to_other_nodes",
        below("^blackhole 172.16.49", "172.16.7.7 via 192.168.56.12 dev tunl0 proto bird onlink"),
        [(Kind.ROUTE_ADDED, "172.16.7.7/32", "the route to 172.16.7.7 was not there before")],
    ),
    "an attribute of a route": (
        "the_brief_line",
        swap("scope link", "scope host"),
        [(Kind.TEXT_CHANGED, f"172.16.196.148 dev {CALI} scope link", "scope host")],
    ),
    "route of a named device": (
        "interface_name",
        drop("scope link"),
        [(Kind.ROUTE_MISSING, "172.16.196.148/32", "is missing")],
    ),
    "json route missing": (
        "samples/routes",
        swap('{"type":"blackhole","dst":"172.16.196.128/26","protocol":"bird","flags":[]},', ""),
        [(Kind.ROUTE_MISSING, "172.16.196.128/26", "the route to 172.16.196.128/26 is missing")],
    ),
    "json next hop": (
        "samples/routes",
        swap('"gateway":"192.168.56.12"', '"gateway":"192.168.56.10"'),
        [(Kind.NEXT_HOP_CHANGED, "172.16.140.64/26", "goes by 192.168.56.10, not by 192.168.56.12")],
    ),
    "way of ip route get": (
        "same_node",
        swap(f"dev {CALI}", "dev tunl0"),
        [(Kind.DEVICE_CHANGED, "172.16.196.148", "the kernel's way to 172.16.196.148 leaves through tunl0")],
    ),
    "neighbour's address": (
        "pod_address",
        swap("lladdr ee:ee:ee:ee:ee:ee", "lladdr 52:54:00:38:00:0a"),
        [(Kind.ADDRESS_CHANGED, "169.254.1.1 on eth0", "has the Ethernet address 52:54:00:38:00:0a")],
    ),
    "neighbour missing": (
        "pod_address",
        drop("lladdr"),
        [(Kind.NEIGHBOUR_MISSING, "169.254.1.1 on eth0", "node01/pod2: the neighbour")],
    ),
    "link down": (
        "veth_pair",
        swap(
            "calibd2348b4f67@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480 qdisc noqueue state UP",
            "calibd2348b4f67@if3: <BROADCAST,MULTICAST> mtu 1480 qdisc noqueue state DOWN",
        ),
        [(Kind.LINK_STATE_CHANGED, CALI, f"node01: the link {CALI} is down, not up")],
    ),
    "other end down": (
        "pod_address",
        swap("<BROADCAST,MULTICAST,UP,LOWER_UP>", "<NO-CARRIER,BROADCAST,MULTICAST,UP>"),
        [(Kind.LINK_STATE_CHANGED, "eth0", "node01/pod2: the link eth0 is no carrier, not up")],
    ),
    "MTU of ip link": (
        "veth_pair",
        lambda text: re.sub(r"(calibd2348b4f67@if3: <[A-Z,_]+> mtu) 1480", r"\1 1400", text),
        [(Kind.MTU_CHANGED, CALI, "has an MTU of 1400, not 1480")],
    ),
    "MTU of /sys": (
        "mtu",
        swap("tunl0/mtu:1480", "tunl0/mtu:1500"),
        [(Kind.MTU_CHANGED, "tunl0", "node01: the link tunl0 has an MTU of 1500, not 1480")],
    ),
    "link added in /sys": (
        "mtu",
        below("^calice", "califfffffffff0/mtu:1500"),
        [(Kind.LINK_ADDED, "califfffffffff0", "was not there before")],
    ),
    "Ethernet address": (
        "veth_pair",
        swap("link/ether ee:ee:ee:ee:ee:ee", "link/ether 02:00:00:00:00:01"),
        [(Kind.ADDRESS_CHANGED, CALI, "has the Ethernet address 02:00:00:00:00:01")],
    ),
    "address missing": (
        "samples/links",
        lambda text: re.sub(r"    inet 172.16.196.128/32 scope global tunl0\n +valid.*\n", "", text, count=1),
        [(Kind.ADDRESS_CHANGED, "tunl0", "node01: the link tunl0 has as address none, not 172.16.196.128/32")],
    ),
    "address in json": (
        "samples/links",
        swap('"local":"172.16.196.128"', '"local":"172.16.196.129"'),
        [(Kind.ADDRESS_CHANGED, "tunl0", "172.16.196.129/32, not 172.16.196.128/32")],
    ),
    "address of a filtered list": (
        "samples/links",
        lambda text: re.sub(r"192.168.56.11/24 scope global eth0\n$", "192.168.56.99/24 scope global eth0\n", text),
        [(Kind.ADDRESS_CHANGED, "eth0", "192.168.56.99/24, not 192.168.56.11/24")],
    ),
    "bridge added": (
        "veth_pair",
        below("type bridge", "9: br0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN mode DEFAULT"),
        [(Kind.LINK_ADDED, "br0", "node01: the link br0 was not there before")],
    ),
    "setting": (
        "veth_pair",
        swap("proxy_arp = 1", "proxy_arp = 0"),
        [(Kind.SETTING_CHANGED, f"net.ipv4.conf.{CALI}.proxy_arp", "is 0, not 1")],
    ),
    "rule missing": (
        "samples/iptables",
        drop(f"-A {NPX} .*-> 192"),
        [(Kind.RULE_MISSING, f"-A {NPX} ", f"the rule `-A {NPX}")],
    ),
    "rule added": (
        "samples/iptables",
        below("^-A KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -d 10.96.0.99/32 -j RETURN"),
        [(Kind.RULE_ADDED, "-A KUBE-MARK-MASQ -d 10.96.0.99/32 -j RETURN", "was not there before")],
    ),
    "rule order": (
        "samples/web",
        switch("probability 0.333", "probability 0.5"),
        [(Kind.RULE_ORDER_CHANGED, SVC, f"node01: the rules of {SVC} stand in another order")],
    ),
    "order of chains": (
        "samples/web",
        switch("-N KUBE-SEP-A", "-N KUBE-SEP-B"),
        [(Kind.COSMETIC, "iptables -t nat -S", "prints the same in another order or spacing")],
    ),
    "spacing": (
        "samples/routes",
        first("default via 192.168.56.1 dev eth0", "default via  192.168.56.1 dev eth0"),
        [(Kind.COSMETIC, "ip route", "prints the same in another order or spacing")],
    ),
    "order of routes": (
        "samples/routes",
        switch("^172.16.49.64", "^172.16.140.64"),
        [(Kind.COSMETIC, "ip route", "prints the same in another order or spacing")],
    ),
    "probability": (
        "samples/web",
        swap("0.33333333349", "0.50000000000"),
        [(Kind.PROBABILITY_CHANGED, f"{SVC} -> KUBE-SEP-A", "with a probability of 0.50000000000, not 0.33333333349")],
    ),
    "probability gone": (
        "samples/web",
        swap(" -m statistic --mode random --probability 0.50000000000", ""),
        [(Kind.PROBABILITY_CHANGED, f"{SVC} -> KUBE-SEP-B", "with a probability of none, not 0.5")],
    ),
    "DNAT target": (
        "samples/web",
        swap("--to-destination 172.16.196.147:8080", "--to-destination 172.16.196.147:80"),
        [(Kind.DNAT_TARGET_CHANGED, "KUBE-SEP-A", "sends to 172.16.196.147:80, not to 172.16.196.147:8080")],
    ),
    "chain missing with its rules": (
        "samples/web",
        drop(f"-(N|A) {SVC}", count=4),
        [(Kind.CHAIN_MISSING, SVC, f"node01: the chain {SVC} is missing")],
    ),
    "chain added": (
        "samples/web",
        below("^-N KUBE-SEP-C", "-N MINE\n-A MINE -j RETURN"),
        [(Kind.CHAIN_ADDED, "MINE", "the chain MINE was not there before")],
    ),
    "policy": (
        "samples/iptables",
        first("-P FORWARD ACCEPT", "-P FORWARD DROP"),
        [(Kind.POLICY_CHANGED, "FORWARD", "has the policy DROP, not ACCEPT")],
    ),
    "policy of a saved chain": (
        "samples/iptables",
        first(":OUTPUT ACCEPT", ":OUTPUT DROP"),
        [(Kind.POLICY_CHANGED, "OUTPUT", "has the policy DROP, not ACCEPT")],
    ),
    "nft rule missing": (
        "samples/nft",
        drop("fib daddr"),
        [(Kind.RULE_MISSING, "services: fib daddr type local tcp dport 30080 goto service-web", "is missing")],
    ),
    "nft DNAT target": (
        "samples/nft",
        swap("dnat to 172.16.196.148:8080", "dnat to 172.16.196.148:80"),
        [(Kind.DNAT_TARGET_CHANGED, "endpoint-b", "sends to 172.16.196.148:80, not to 172.16.196.148:8080")],
    ),
    "nft order": (
        "samples/nft",
        switch("ip daddr . meta l4proto . th", "fib daddr type local"),
        [(Kind.RULE_ORDER_CHANGED, "services", "the rules of services stand in another order")],
    ),
    "nft element missing": (
        "samples/nft",
        every("\t\t\t     10.96.0.101 . tcp . 80 : goto service-web,\n", ""),
        2 * [(Kind.ELEMENT_MISSING, "service-ips: 10.96.0.101 . tcp . 80", "is missing")],
    ),
    "nft element's value": (
        "samples/nft",
        first("10.96.0.100 . tcp . 80 : goto service-web", "10.96.0.100 . tcp . 80 : goto nowhere"),
        [(Kind.ELEMENT_CHANGED, "service-ips: 10.96.0.100 . tcp . 80", "is goto nowhere, not goto service-web")],
    ),
    "nft chain missing": (
        "samples/nft",
        lambda text: re.sub(r"\tchain endpoint-b \{.*?\n\t\}\n\n", "", text, flags=re.S),
        [(Kind.CHAIN_MISSING, "endpoint-b", "the chain endpoint-b is missing")],
    ),
    "nft policy": (
        "samples/nft",
        swap("policy accept;", "policy drop;"),
        [(Kind.POLICY_CHANGED, "nat-prerouting", "has the policy drop, not accept")],
    ),
    "nft json DNAT target": (
        "samples/nft_json",
        swap('"addr": "172.16.196.148", "port": 8080', '"addr": "172.16.196.148", "port": 80'),
        [(Kind.DNAT_TARGET_CHANGED, "endpoint-b", "sends to 172.16.196.148:80, not to 172.16.196.148:8080")],
    ),
    "nft json policy": (
        "samples/nft_json",
        swap('"policy": "accept"', '"policy": "drop"'),
        [(Kind.POLICY_CHANGED, "nat-prerouting", "has the policy drop, not accept")],
    ),
    "nft json element": (
        "samples/nft_json",
        swap('"elem": ["10.96.0.1", "10.96.0.10"]', '"elem": ["10.96.0.1"]'),
        [(Kind.ELEMENT_MISSING, "cluster-ips: 10.96.0.10", "is missing")],
    ),
    "session state": (
        "bgp_sessions",
        first("up     13:31:12.138  Established", "start  13:44:00.000  Active        Socket: Connection refused"),
        [(Kind.SESSION_STATE_CHANGED, "Mesh_192_168_56_12", "node01: the session Mesh_192_168_56_12 is start Active")],
    ),
    "session missing": (
        "bgp_sessions",
        lambda text: text.replace("Mesh_192_168_56_11 BGP        ---        up     13:31:13.912  Established\n", ""),
        [(Kind.SESSION_MISSING, "Mesh_192_168_56_11", "controlplane: the session Mesh_192_168_56_11 is missing")],
    ),
    "BIRD's route": (
        "bgp_sessions",
        swap("via 192.168.56.12 on tunl0", "via 192.168.56.10 on tunl0"),
        [(Kind.NEXT_HOP_CHANGED, "172.16.140.64/26", "BIRD's route to 172.16.140.64/26 goes by 192.168.56.10")],
    ),
    "ping unanswered": (
        "samples/ping",
        lambda text: drop("icmp_seq=2")(text).replace("2 received", "1 received"),
        [
            (Kind.ANSWER_MISSING, "ping 2 of 192.168.56.12", "is missing"),
            (Kind.ANSWER_CHANGED, "ping 192.168.56.12", "was answered 1 of 2 times, not 2 of 2"),
        ],
    ),
    "ping's TTL": (
        "same_node",
        swap("ttl=63", "ttl=62"),
        [(Kind.ANSWER_CHANGED, "ping 1 of 172.16.196.148", "came with a TTL of 62, not 63")],
    ),
    "exit status": (
        "samples/ping",
        lambda text: text + "[exit status 1]\n",
        [(Kind.STATUS_CHANGED, "ping -c 2 -i 0.2 192.168.56.12", "exits 1, not 0")],
    ),
    "a command that failed lists nothing": (
        "the_brief_line",
        lambda text: text.splitlines()[0] + "\nCannot find device\n[exit status 1]\n",
        [(Kind.STATUS_CHANGED, "ip route show 172.16.196.148", "exits 1, not 0: Cannot find device")],
    ),
    "flow answered by another": (
        "samples/conntrack",
        swap("src=192.168.56.11 dst=192.168.56.12 sport=179 ", "src=192.168.56.10 dst=192.168.56.12 sport=179 "),
        [(Kind.FLOW_CHANGED, "tcp 192.168.56.12 -> 192.168.56.11:179", "is answered by 192.168.56.10:179, not by")],
    ),
    "flow missing": (
        "samples/conntrack",
        drop("sport=179"),
        [(Kind.FLOW_MISSING, "tcp 192.168.56.12 -> 192.168.56.11:179", "is missing")],
    ),
    "IPVS server missing": (
        "samples/ipvs",
        drop("172.16.49.67"),
        [(Kind.SERVER_MISSING, "UDP 10.96.0.10:53 -> 172.16.49.67:53", "the real server UDP")],
    ),
    "IPVS scheduler": (
        "samples/ipvs",
        swap("10.96.0.1:443 rr", "10.96.0.1:443 lc"),
        [(Kind.SERVER_CHANGED, "TCP 10.96.0.1:443", "is shared out by lc, not by rr")],
    ),
    "IPVS weight": (
        "samples/ipvs",
        lambda text: re.sub(r"(172.16.49.67:53\s+Masq\s+)2", r"\g<1>1", text),
        [(Kind.SERVER_CHANGED, "UDP 10.96.0.10:53 -> 172.16.49.67:53", "has a weight of 1, not 2")],
    ),
    "socket missing": (
        "samples/ss",
        drop("0.0.0.0:179"),
        [(Kind.SOCKET_MISSING, "LISTEN 0.0.0.0:179 0.0.0.0:*", "is missing")],
    ),
    "row of a table": (
        "block_affinities",
        first("node01         172.16.196.128/26   confirmed", "node01         172.16.196.128/26   pending"),
        [(Kind.OBJECT_CHANGED, "node01", "the row node01 has as STATE pending, not confirmed")],
    ),
    "row added": (
        "block_affinities",
        below("^node02 ", "node03         172.16.186.192/26   confirmed"),
        [(Kind.OBJECT_ADDED, "node03", "controlplane: the row node03 was not there before")],
    ),
    "text": (
        "first_block",
        swap("block 786", "block 787"),
        [(Kind.TEXT_CHANGED, "node01 fnv32 517934060 block 786 of 1024: 172.16.196.128/26", "block 787")],
    ),
    "order of text": (
        "first_block",
        switch("^node01 fnv32", "^node02 fnv32"),
        [(Kind.TEXT_CHANGED, "node02 fnv32 517934063 block 561 of 1024: 172.16.140.64/26", "lines in another order")],
    ),
    "text of a background command": (
        "packet_on_the_wire",
        first("172.16.140.70 > 172.16.196.148: ICMP echo reply", "172.16.140.70 > 172.16.196.148: ICMP echo request"),
        [(Kind.TEXT_CHANGED, "172.16.140.70 > 172.16.196.148: ICMP echo reply", "echo request")],
    ),
    "another question": (
        "the_brief_line",
        swap("ip route show 172.16.196.148", "ip route show 172.16.196.147"),
        [
            (Kind.COMMAND_MISSING, "ip route show 172.16.196.148", "is not run any more"),
            (Kind.COMMAND_ADDED, "ip route show 172.16.196.147", "was not run before"),
        ],
    ),
}


@pytest.mark.parametrize(("name", "change", "wanted"), CASES.values(), ids=CASES.keys())
def test_a_change_is_named(name: str, change: Change, wanted: Wanted) -> None:
    """Exactly these findings, no more."""
    old = TEXTS[name]
    new = change(old)
    assert new != old
    found = drift.explain(old, new)
    assert [finding.kind for finding in found] == [kind for kind, _, _ in wanted], found
    for finding, (_, subject, words) in zip(found, wanted, strict=True):
        assert finding.subject.startswith(subject)
        assert words in finding.sentence
        assert finding.sentence.startswith(f"{finding.node}: ")
        assert finding.old or finding.new


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_found_where_nothing_changed(name: str) -> None:
    """Equal transcripts, no findings."""
    assert drift.explain(TEXTS[name], TEXTS[name]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_any_lost_line_is_found(name: str) -> None:
    """No parser swallows a line: whichever is taken out, something is said."""
    lines = TEXTS[name].splitlines()
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    assert numbers
    for number in numbers:
        new = "\n".join(lines[:number] + lines[number + 1 :]) + "\n"
        assert drift.explain(TEXTS[name], new), lines[number]


@pytest.mark.parametrize("name", TEXTS)
def test_any_changed_word_is_found(name: str) -> None:
    """No parser overlooks a word: each finding is told, or the word is noise."""
    from lab import noise

    seen, text = 0, TEXTS[name]
    places = {match.group(): match for match in re.finditer(r"[a-z]{4,}|\b\d{1,3}(?:\.\d{1,3}){3}\b", text)}
    for old, match in places.items():
        new = text[: match.start()] + ("9.9.9.9" if "." in old else "zzzz") + text[match.end() :]
        real = noise.normalise(new) != noise.normalise(text)
        assert bool(drift.explain(text, new)) == real, (old, match.start())
        seen += real
    assert seen


NOISE: dict[str, tuple[str, Change]] = {
    "times of pings": ("samples/ping", lambda text: re.sub(r"time=[\d.]+ ms", "time=9.99 ms", text)),
    "times of sessions": ("bgp_sessions", every("13:31:", "09:02:")),
    "indexes": ("veth_pair", every("@if13", "@if99")),
    "counters": ("samples/iptables", lambda text: re.sub(r"\[\d+:\d+\]", "[9:9]", text)),
    "ports of clients": ("samples/ss", lambda text: re.sub(r"56.11:\d+", "56.11:60001", text)),
    "ports of flows": ("samples/conntrack", lambda text: re.sub(r"(sport|dport)=[45]\d{4}", r"\1=41000", text)),
}


@pytest.mark.parametrize(("name", "change"), NOISE.values(), ids=NOISE.keys())
def test_noise_is_no_finding(name: str, change: Change) -> None:
    """What differs between equal runs is not told."""
    new = change(TEXTS[name])
    assert new != TEXTS[name]
    assert drift.explain(TEXTS[name], new) == []


def test_what_a_failed_snippet_did_not_reach_is_no_finding() -> None:
    """Its transcript is cut off; only what it showed counts."""
    old = CAPTURES["routes_to_other_nodes"]
    lines = old.splitlines()
    new = "\n".join([*lines[:2], *lines[3:4]]) + "\n"
    found = drift.explain(old, new, cut=True)
    assert [(finding.kind, finding.subject) for finding in found] == [(Kind.ROUTE_MISSING, "172.16.140.64/26")]
    whole = drift.explain(old, new)
    assert [finding.kind for finding in whole] == [Kind.ROUTE_MISSING, Kind.COMMAND_MISSING, Kind.COMMAND_MISSING]


def test_what_a_transcript_shows() -> None:
    """Node, command and things, for whoever looks for a snippet that shows one."""
    found = drift.shown(CAPTURES["routes_to_other_nodes"])
    assert [(each.node, each.command) for each in found] == [
        (node, "ip route | grep bird") for node in ("controlplane", "node01", "node02")
    ]
    assert [entry.subject for entry in found[1].entries] == ["172.16.49.64/26", "172.16.140.64/26", "172.16.196.128/26"]


def test_a_line_of_a_diff_is_an_answer_and_a_further_line_of_a_command_is_not() -> None:
    """Both begin with `> `; a shell asks for another line only where the command is open."""
    diff, loop = (
        "node01$ diff a b\n> 10.0.0.0/8 dev eth0\n[exit status 1]\n",
        "node01$ for n in 1; do\n> id\n> done\nroot\n",
    )
    [answer] = read(diff)
    assert (answer.command, answer.lines, answer.status) == ("diff a b", ("> 10.0.0.0/8 dev eth0",), 1)
    [answer] = read(loop)
    assert (answer.command, answer.lines) == ("for n in 1; do\nid\ndone", ("root",))
