"""Noise: the parts of an output that differ between equal runs, by named rules.

Each rule is tied to the command that prints the noise and to a label beside it.
No rule touches an address, the name of a chain or interface, a rule, the order of
lines or an exit status: these are what the book shows.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_PROMPT = re.compile(r"^[a-z0-9][a-z0-9./-]*\$ (?P<command>.*)$")
# A background command's output is headed by `[node: command]`.
_HEADING = re.compile(r"^\[[a-z0-9][a-z0-9./-]*: (?P<command>.*)\]$")

# The ports that Linux gives to clients: 32768 to 60999. Node ports end at 32767.
_CLIENT_PORT = r"(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|60\d{3})"
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?"


@dataclass(frozen=True)
class Rule:
    """One kind of noise.

    Attributes:
        name: Stands in place of the noise in a normalised text.
        why: Why it differs between equal runs.
        command: Matches the command whose output has this noise.
        pattern: Matches in a line; its groups are the noise.
        same: Two lines that differ only by this noise.
        different: Two lines whose difference must be seen.
    """

    name: str
    why: str
    command: str
    pattern: str
    same: tuple[str, str]
    different: tuple[str, str]


RULES = (
    Rule(
        "ping-time",
        "how long an answer took",
        r"\bping\b",
        r"(?:\btime[= ]([\d.]+) ?ms|= ([\d./]+) ms)",
        (
            "64 bytes from 172.16.140.65: icmp_seq=1 ttl=62 time=0.511 ms",
            "64 bytes from 172.16.140.65: icmp_seq=1 ttl=62 time=12.3 ms",
        ),
        (
            "64 bytes from 172.16.140.65: icmp_seq=1 ttl=62 time=0.511 ms",
            "64 bytes from 172.16.140.65: icmp_seq=1 ttl=63 time=0.511 ms",
        ),
    ),
    Rule(
        "clock",
        "the time of day at which a packet was seen",
        r"\btcpdump\b",
        r"^(\d\d:\d\d:\d\d\.\d+) ",
        (
            "12:00:01.123456 IP 192.168.56.11 > 192.168.56.12: IP 172.16.196.148 > 172.16.140.65: ICMP",
            "23:59:59.000001 IP 192.168.56.11 > 192.168.56.12: IP 172.16.196.148 > 172.16.140.65: ICMP",
        ),
        (
            "12:00:01.123456 IP 192.168.56.11 > 192.168.56.12: IP 172.16.196.148 > 172.16.140.65: ICMP",
            "12:00:01.123456 IP 192.168.56.11 > 192.168.56.10: IP 172.16.196.148 > 172.16.140.65: ICMP",
        ),
    ),
    Rule(
        "packet-id",
        "numbers that the sender draws for each packet, ping or connection",
        r"\btcpdump\b",
        r"(?:\b(?:id|ack|win|val|ecr|cksum) (0x[0-9a-f]+|\d+)(?=[,)\] ]|$)|\], seq (\d+(?::\d+)?),)",
        ("ICMP echo request, id 4242, seq 1, length 64", "ICMP echo request, id 17, seq 1, length 64"),
        ("ICMP echo request, id 4242, seq 1, length 64", "ICMP echo reply, id 4242, seq 1, length 64"),
    ),
    Rule(
        "packet-port",
        "the port that the kernel gives to a client",
        r"\btcpdump\b",
        rf"\d\.({_CLIENT_PORT})(?=[ :])",
        (
            "IP 172.16.196.148.41234 > 172.16.140.65.8080: Flags [S]",
            "IP 172.16.196.148.55555 > 172.16.140.65.8080: Flags [S]",
        ),
        (
            "IP 172.16.196.148.41234 > 172.16.140.65.8080: Flags [S]",
            "IP 172.16.196.148.41234 > 172.16.140.65.30080: Flags [S]",
        ),
    ),
    Rule(
        "packet-count",
        "packets that the filter saw beyond those asked for",
        r"\btcpdump\b",
        r"^(\d+ packets?) (?:received by filter|dropped by kernel)",
        ("1 packet received by filter", "2 packets received by filter"),
        ("2 packets captured", "1 packet captured"),
    ),
    Rule(
        "index",
        "the number of an interface, given in the order of creation",
        r"\bip\b.*\b(?:a|addr|address|l|link)\b",
        r"(?:^(\d+): |@if(\d+)\b|\blink-netnsid (\d+)|\blink-netns cni-([0-9a-f-]{36}))",
        (
            "7: calibd2348b4f67@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480",
            "12: calibd2348b4f67@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480",
        ),
        (
            "7: calibd2348b4f67@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480",
            "7: calibd2348b4f67@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500",
        ),
    ),
    Rule(
        "age",
        "seconds since the kernel last used an entry, and the state that follows from them",
        r"\bip\b.*\b(?:r|route|n|neigh|neighbor|neighbour|a|addr|address)\b",
        r"(?:\b(?:age|expires|used|valid_lft|preferred_lft) ([\d/]+(?:sec)?)\b"
        r"|\b(REACHABLE|STALE|DELAY|PROBE) ?$)",
        (
            "169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee REACHABLE",
            "169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee STALE",
        ),
        ("169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee REACHABLE", "169.254.1.1 dev eth0 FAILED"),
    ),
    Rule(
        "since",
        "when a BGP session or a route came up",
        r"\b(?:birdc|birdcl|calicoctl)\b",
        rf"(?<=[ \[])((?:(?:{_DATE} )?{_CLOCK}|{_DATE})(?: +|(?=\])|$))",
        (
            "Mesh_192_168_56_12 BGP        ---        up     11:52:33.123  Established",
            "Mesh_192_168_56_12 BGP        ---        up     23:01:07.999  Established",
        ),
        (
            "Mesh_192_168_56_12 BGP        ---        up     11:52:33.123  Established",
            "Mesh_192_168_56_12 BGP        ---        start  11:52:33.123  Connect",
        ),
    ),
    Rule(
        "flow-port",
        "the port that the kernel gives to a client, in both directions of a flow",
        r"\bconntrack\b",
        r"sport=(\d+) dport=\d+ .*\bsport=\d+ dport=(\d+)",
        (
            "tcp 6 src=172.16.196.148 dst=10.96.0.10 sport=40000 dport=53 "
            "src=172.16.49.65 dst=172.16.196.148 sport=53 dport=40000 [ASSURED]",
            "tcp 6 src=172.16.196.148 dst=10.96.0.10 sport=51111 dport=53 "
            "src=172.16.49.65 dst=172.16.196.148 sport=53 dport=51111 [ASSURED]",
        ),
        (
            "tcp 6 src=172.16.196.148 dst=10.96.0.10 sport=40000 dport=53 "
            "src=172.16.49.65 dst=172.16.196.148 sport=53 dport=40000 [ASSURED]",
            "tcp 6 src=172.16.196.148 dst=10.96.0.10 sport=40000 dport=53 "
            "src=172.16.49.66 dst=172.16.196.148 sport=53 dport=40000 [ASSURED]",
        ),
    ),
    Rule(
        "flow-counter",
        "seconds until the kernel forgets a flow, and what it counted",
        r"\bconntrack\b",
        r"(?:^(?:tcp|udp|icmp|unknown) +\d+ (\d+) |\b(?:packets|bytes|id)=(\d+))",
        (
            "icmp     1 29 src=172.16.196.148 type=8 code=0 id=7",
            "icmp     1 3 src=172.16.196.148 type=8 code=0 id=9",
        ),
        (
            "icmp     1 29 src=172.16.196.148 type=8 code=0 id=7",
            "icmp     1 29 src=172.16.196.149 type=8 code=0 id=7",
        ),
    ),
    Rule(
        "socket",
        "the port that the kernel gives to a client, and process numbers",
        r"\bss\b",
        rf"(?::({_CLIENT_PORT})\b|pid=(\d+),fd=(\d+))",
        (
            'ESTAB 0 0 192.168.56.11:41234 192.168.56.10:179 users:(("bird",pid=812,fd=9))',
            'ESTAB 0 0 192.168.56.11:59999 192.168.56.10:179 users:(("bird",pid=71,fd=12))',
        ),
        (
            "ESTAB 0 0 192.168.56.11:41234 192.168.56.10:179",
            "ESTAB 0 0 192.168.56.11:41234 192.168.56.12:179",
        ),
    ),
    Rule(
        "counter",
        "packets and bytes that a rule has counted",
        r"\biptables(?:-save)?\b",
        r"(?:^(\s*\d+[KMG]?\s+\d+[KMG]?)(?=\s+[\w-]*\s+(?:tcp|udp|icmp|all|\d+)\s+--\s)"
        r"|policy [A-Z]+ (\d+[KMG]? packets, \d+[KMG]?) bytes|\[(\d+:\d+)\]|\s-c (\d+ \d+)\s)",
        (
            "   12   720 KUBE-SVC-NPX46M4PTMTKRN6Y  tcp  --  *  *  0.0.0.0/0  10.96.0.1",
            " 9999  600K KUBE-SVC-NPX46M4PTMTKRN6Y  tcp  --  *  *  0.0.0.0/0  10.96.0.1",
        ),
        (
            "   12   720 KUBE-SVC-NPX46M4PTMTKRN6Y  tcp  --  *  *  0.0.0.0/0  10.96.0.1",
            "   12   720 KUBE-SVC-TCOU7JCQXEZGVUNU  tcp  --  *  *  0.0.0.0/0  10.96.0.1",
        ),
    ),
    Rule(
        "object-age",
        "how old an object of the cluster is; the column is as wide as the oldest",
        r"\bkubectl\b.*\bget\b",
        r"(?:\s(AGE\s*)(?=$|[A-Z])|(?<=\s)((?:\d+[ydhms]){1,2}(?:\s+|$))|\((\d+\w+ ago)\))",
        (
            "pod2   1/1     Running   0          9s      172.16.196.148   node01",
            "pod2   1/1     Running   0          3m41s   172.16.196.148   node01",
        ),
        (
            "pod2   1/1     Running   0          9s      172.16.196.148   node01",
            "pod2   1/1     Running   0          9s      172.16.196.149   node01",
        ),
    ),
    Rule(
        "object-meta",
        "numbers and times that the API server gives to each new object",
        r"\bkubectl\b",
        r"^\s*(?:Creation Timestamp|creationTimestamp|Resource Version|resourceVersion|UID|uid|Start Time|"
        r"Started|lastTransitionTime|Time):\s+(.+)$",
        ("  UID:               8f2c", "  UID:               77aa"),
        ("Spec:  Cidr:  172.16.196.128/26", "Spec:  Cidr:  172.16.196.192/26"),
    ),
    Rule(
        "namespace",
        "the inode number of a namespace, given in the order of creation",
        r".",
        r"\b(?:net|mnt|uts|ipc|pid|user|cgroup|time):\[(\d{10})\]",
        ("net:[4026532567]", "net:[4026531840]"),
        ("net:[4026532567]", "uts:[4026532567]"),
    ),
    Rule(
        "dns",
        "numbers and times of one DNS query, and how long the answer may still be kept",
        r"\bdig\b",
        r"(?:\bid: (\d+)|^;; Query time: (\d+ msec)|^;; WHEN: (.*)$|^; COOKIE: (.*)$"
        r"|^[\w.-]+\.\s+(\d+)\s+IN\s)",
        (
            "web.default.svc.cluster.local. 5 IN A 10.96.0.100",
            "web.default.svc.cluster.local. 30 IN A 10.96.0.100",
        ),
        (
            "web.default.svc.cluster.local. 5 IN A 10.96.0.100",
            "web.default.svc.cluster.local. 5 IN A 10.96.0.101",
        ),
    ),
)

_COMPILED = tuple((rule, re.compile(rule.command), re.compile(rule.pattern)) for rule in RULES)


def normalise(text: str) -> str:
    """A transcript with the name of its rule in place of each piece of noise."""
    return "".join(f"{line}\n" for line in _normal_lines(text))


def keep_old(old: str, new: str) -> str:
    """The new transcript, with the old line wherever only noise differs.

    A reader sees a real value, and the difference between two runs stays small.
    """
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(None, list(_normal_lines(old)), list(_normal_lines(new)), autojunk=False)
    kept: list[str] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        kept += before[a:b] if tag == "equal" else after[c:d]
    return "".join(f"{line}\n" for line in kept)


def _normal_lines(text: str) -> Iterator[str]:
    command = ""
    for line in text.splitlines():
        shown = _PROMPT.match(line) or _HEADING.match(line)
        if shown:
            command = shown["command"]
            yield line
        else:
            yield _normal_line(line, command)


def _normal_line(line: str, command: str) -> str:
    for rule, applies, pattern in _COMPILED:
        if applies.search(command):
            line = pattern.sub(lambda match, name=rule.name: _masked(match, name), line)  # type: ignore[misc]
    return line


def _masked(match: re.Match[str], name: str) -> str:
    """The match with its groups replaced."""
    text, offset = match.group(), match.start()
    spans = [match.span(number) for number in range(1, (match.re.groups or 0) + 1) if match.span(number)[0] >= 0]
    for start, end in sorted(spans, reverse=True):
        text = f"{text[: start - offset]}<{name}>{text[end - offset :]}"
    return text
