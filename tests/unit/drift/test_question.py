"""Which program printed an output, as its command line tells."""

import pytest

from lab.drift.question import question
from lab.drift.tools import parse

PLAIN = {
    "plain": ("ip route", "ip", ("route",)),
    "grep": ("ip route | grep -E 'a|b' | head -n 2", "ip", ("route",)),
    "folder": ("/usr/sbin/iptables -t nat -S", "iptables", ("-t", "nat", "-S")),
    "several lines": ("birdcl show route \\\n  | tail -n +2", "birdcl", ("show", "route")),
    "cd": ("cd /sys/class/net; grep . eth0/mtu", "grep", (".", "eth0/mtu")),
    "assignment": ("x=1 && ip link", "ip", ("link",)),
    "environment": ("LC_ALL=C ip link", "ip", ("link",)),
    "redirection": ("conntrack -L 2>/dev/null | grep tcp", "conntrack", ("-L",)),
    "stderr": ("ping -c 1 x 2>&1", "ping", ("-c", "1", "x")),
    "sudo": ("sudo ip route", "ip", ("route",)),
    "timeout": ("timeout 5 ping -c 1 x", "ping", ("-c", "1", "x")),
    "nsenter": ("nsenter -t 12 -n ip route", "ip", ("route",)),
    "netns": ("ip netns exec red ip addr", "ip", ("addr",)),
    "pod": ("kubectl exec pod2 -- ip route", "ip", ("route",)),
}


@pytest.mark.parametrize(("command", "program", "words"), PLAIN.values(), ids=PLAIN.keys())
def test_the_program_is_found(command: str, program: str, words: tuple[str, ...]) -> None:
    """Through pipes, wrappers and what prints nothing."""
    found = question(command)
    assert found is not None
    assert (found.program, found.words) == (program, words)


OTHERS = {
    "awk": "ip route | awk '{print $1}'",
    "cut": "ip route | cut -c1-9",
    "count": "ip route | grep -c bird",
    "only matches": "ip route | grep -oE '[0-9]+'",
    "two programs": "ip route; ip link",
    "both print": "ip route && ip link",
    "open quote": "ip route | grep 'x",
    "nothing": "",
    "only a pipe": "| grep x",
    "unknown in a wrapper": "timeout 5 frobnicate",
}


@pytest.mark.parametrize("command", OTHERS.values(), ids=OTHERS.keys())
def test_lines_that_are_no_programs_own_are_text(command: str) -> None:
    """A parser would read something else into them."""
    assert question(command) is None


def test_sorted_lines_have_no_order_of_their_own() -> None:
    """Behind `sort`, a place in the list says nothing."""
    plain, sorted_ = question("iptables -S | grep x"), question("iptables -S | sort")
    assert plain and plain.ordered and plain.filtered
    assert sorted_ and not sorted_.ordered


UNREAD = ["ip rule", "ip -br link", "iptables -L -n", "nft add rule x", "birdcl show status", "conntrack -E"]


@pytest.mark.parametrize("command", [*UNREAD, "kubectl get pods -o yaml", "kubectl describe pod x", "tcpdump -n"])
def test_what_no_parser_reads_is_text(command: str) -> None:
    """Another form of a known tool's output is not forced into the known one."""
    assert parse(command, ["a", "b"]) is None


@pytest.mark.parametrize("command", ["ip -j route", "ip -j link", "nft -j list ruleset"])
@pytest.mark.parametrize("text", ["Error: no such thing", "[1", "{}", "[[]]", '{"nftables": [3]}'])
def test_broken_json_shows_nothing(command: str, text: str) -> None:
    """An error message where JSON was expected is compared as text."""
    assert parse(command, [text]) == []
