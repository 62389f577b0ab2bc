"""Noise rules: each ignores what differs between equal runs, and nothing else."""

import re

import pytest

from lab.noise import RULES, Rule, keep_old, normalise

COMMANDS = {
    "ping-time": "ping -c 1 172.16.140.65",
    "clock": "tcpdump -ni eth0",
    "packet-id": "tcpdump -ni eth0",
    "packet-port": "tcpdump -ni eth0",
    "packet-count": "tcpdump -ni eth0",
    "index": "ip -d link show",
    "age": "ip neigh",
    "since": "birdc show protocols",
    "flow-port": "conntrack -L",
    "flow-counter": "conntrack -L",
    "socket": "ss -tnp",
    "counter": "iptables -t nat -vnL",
    "object-age": "kubectl get pods -o wide",
    "object-meta": "kubectl describe blockaffinities node01",
    "namespace": "readlink /proc/1/ns/net",
    "dns": "dig web.default.svc.cluster.local",
}
ids = [rule.name for rule in RULES]


def shown(rule: Rule, line: str) -> str:
    """The line as a transcript has it: below the command that prints it."""
    return f"node01$ {COMMANDS[rule.name]}\n{line}\n"


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_noise_is_ignored(rule: Rule) -> None:
    """The pair that differs only by this noise is equal."""
    one, two = (shown(rule, line) for line in rule.same)
    assert one != two
    assert normalise(one) == normalise(two)
    assert f"<{rule.name}>" in normalise(one)


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_a_real_change_is_seen(rule: Rule) -> None:
    """The pair that differs by something that a page shows is not equal."""
    one, two = (shown(rule, line) for line in rule.different)
    assert normalise(one) != normalise(two)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.command != "."], ids=lambda rule: rule.name)
def test_a_rule_is_tied_to_its_command(rule: Rule) -> None:
    """The same line printed by another command is no noise."""
    one, two = (f"node01$ cat file\n{line}\n" for line in rule.same)
    assert normalise(one) != normalise(two)


@pytest.mark.parametrize(
    "line",
    [
        "172.16.196.148 dev calibd2348b4f67 scope link",
        "172.16.140.64/26 via 192.168.56.12 dev tunl0 proto bird onlink",
        "blackhole 172.16.196.128/26 proto bird metric 32",
        "-A KUBE-SVC-NPX46M4PTMTKRN6Y -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-SX",
        "link/ether 52:54:00:38:00:0b brd ff:ff:ff:ff:ff:ff",
        "inet 172.16.196.148/32 scope global eth0",
        "172.16.196.148",
        "[exit status 1]",
        "2 packets transmitted, 0 received, 100% packet loss",
        "10.96.0.10:53",
        "node01-172-16-196-128-26",
    ],
)
@pytest.mark.parametrize("command", sorted(set(COMMANDS.values())))
def test_what_proves_the_point_is_never_noise(line: str, command: str) -> None:
    """Addresses, names, rules and exit statuses stay as they are, whatever command prints them."""
    text = f"node01$ {command}\n{line}\n"
    assert normalise(text) == text


def test_a_command_is_never_noise() -> None:
    """The line with the prompt is what the reader types."""
    text = "node01$ ping -c 1 -w 3 172.16.140.65 # time=3 ms\n"
    assert normalise(text) == text


def test_background_output_belongs_to_its_command() -> None:
    """The heading of a background command says whose noise follows."""
    text = "node01$ ping -c 1 x\n[node02: tcpdump -c 1]\n12:00:01.123456 IP a > b\n"
    assert normalise(text).splitlines()[2] == "<clock> IP a > b"


PING = "node01$ ping -c 2 x\nreply ttl=62 time=0.5 ms\nreply ttl=62 time=0.7 ms\n"


def test_old_values_stay_where_only_noise_differs() -> None:
    """Two equal runs give one file, byte for byte."""
    new = PING.replace("0.5", "0.9").replace("0.7", "1.1")
    assert keep_old(PING, new) == PING


def test_a_real_change_takes_only_its_line() -> None:
    """The other lines keep their old values, so the difference is one line."""
    new = PING.replace("0.5", "0.9").replace("ttl=62 time=0.7", "ttl=61 time=0.8")
    assert keep_old(PING, new) == PING.replace("ttl=62 time=0.7", "ttl=61 time=0.8")


def test_a_new_line_is_kept_at_its_place() -> None:
    """Lines that come or go do not disturb the others."""
    new = "node01$ ping -c 2 x\nreply ttl=62 time=9 ms\nlost\nreply ttl=62 time=8 ms\n"
    lines = PING.splitlines()
    assert keep_old(PING, new).splitlines() == [*lines[:2], "lost", lines[2]]


def test_order_is_never_noise() -> None:
    """The same lines in another order are a change."""
    old = "node01$ ip route\na dev x\nb dev y\n"
    new = "node01$ ip route\nb dev y\na dev x\n"
    assert keep_old(old, new) == new


def test_the_kubectl_table_may_change_its_width() -> None:
    """The column AGE is as wide as its longest value, and its heading with it."""
    command = "controlplane$ kubectl get pods -o wide\n"
    old = "NAME   STATUS    AGE   IP        NODE\npod2   Running   9s    172.1.1.1   node01\n"
    new = "NAME   STATUS    AGE     IP        NODE\npod2   Running   2m41s   172.1.1.1   node01\n"
    assert keep_old(command + old, command + new) == command + old


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_rules_are_explained(rule: Rule) -> None:
    """Each has a reason, and every pattern has a group that is the noise."""
    assert rule.why
    assert re.compile(rule.pattern).groups >= 1
    assert re.search(rule.command, COMMANDS[rule.name])
