"""Netlink over standard input and output: the real helper and the real kernel, in a namespace of its own."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import Memory

from lab.capture import Answer, read_record
from lab.errors import LabError
from lab.netlink import Address, Link, Neighbour, Netlink, Route, _link

BUILD = """
ip link set lo up
ip link add veth0 type veth peer name veth1
ip link set veth0 mtu 1480 address 02:00:00:00:00:01
ip addr add 10.9.0.2/24 dev veth0
ip link set veth0 up
ip link set veth1 up
ip route add 10.78.0.0/26 via 10.9.0.1 dev veth0 onlink proto bird metric 32
ip route add blackhole 10.78.1.0/26 proto bird
ip route add default via 10.9.0.1
ip neigh add 10.9.0.1 lladdr ee:ee:ee:ee:ee:ee dev veth0
"""


def _namespaces() -> bool:
    command = ["unshare", "-Urn", "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_namespaces = pytest.mark.skipif(not _namespaces(), reason="this host allows no network namespaces with veth")


@pytest.fixture(scope="module")
def network() -> Iterator[Netlink]:
    """The network of a namespace with a veth pair."""
    netlink = Netlink("node01", ["unshare", "-Urn", "sh", "-c", f'{BUILD}\neval "$1"', "sh"])
    yield netlink
    netlink.close()


@pytest.mark.slow
@needs_namespaces
def test_routes_have_names(network: Netlink) -> None:
    """Protocol, type and scope are iproute2's words."""
    routes = {route.dst: route for route in network.routes()}
    assert routes["10.78.0.0/26"] == Route(
        "10.78.0.0/26", "10.9.0.1", "veth0", "bird", "unicast", "global", 32, onlink=True, prefsrc=None
    )
    assert routes["10.78.1.0/26"].type == "blackhole"
    assert routes["10.78.1.0/26"].dev is None
    assert routes["default"].gateway == "10.9.0.1"
    assert routes["10.9.0.0/24"].prefsrc == "10.9.0.2"
    assert (routes["10.9.0.0/24"].proto, routes["10.9.0.0/24"].scope) == ("kernel", "link")


@needs_namespaces
def test_tables_are_told_apart(network: Netlink) -> None:
    """The local table has the own addresses, the main table has not."""
    assert {route.type for route in network.routes("local")} == {"local", "broadcast"}
    assert network.routes(254) == network.routes("main")


@needs_namespaces
def test_links_know_their_other_end(network: Netlink) -> None:
    """Each end of a veth pair names the other one's number."""
    links = {link.name: link for link in network.links()}
    left, right = links["veth0"], links["veth1"]
    assert (left.peer_index, right.peer_index) == (right.index, left.index)
    assert left == Link("veth0", left.index, "veth", 1480, "02:00:00:00:00:01", "UP", right.index, None)
    assert links["lo"].kind is None


@needs_namespaces
def test_addresses_and_neighbours(network: Netlink) -> None:
    """Addresses have their length, neighbours their state."""
    assert Address("10.9.0.2/24", "veth0", "global") in network.addresses()
    assert network.neighbours() == [Neighbour("10.9.0.1", "veth0", "ee:ee:ee:ee:ee:ee", "PERMANENT")]


def test_what_the_kernel_learned_is_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping that was too large leaves a destination with a smaller MTU, which the kernel lists among its routes."""
    route = {"dst": "10.0.0.0", "dst_len": 8, "oif": 2, "proto": 3, "type": 1, "scope": 0, "flags": 4}
    learned = {**route, "dst": "10.0.0.1", "dst_len": 32, "flags": 0x204}
    kernel = SimpleNamespace(
        get_links=lambda: [{"index": 2, "ifname": "eth0"}], get_routes=lambda family, table: (route, learned)
    )
    monkeypatch.setattr(Netlink, "_ask", lambda self, read: read(kernel))
    assert [entry.dst for entry in Netlink("node01", []).routes()] == ["10.0.0.0/8"]


def test_a_tunnel_has_no_mac() -> None:
    """Its address is an IPv4 address, whatever length pyroute2 gives it."""
    entry = {"ifname": "tunl0", "index": 2, "mtu": 1480, "address": "00:00:00:00:08:00"}
    assert _link({**entry, "linkinfo": {"kind": "ipip"}}).mac is None
    assert _link({**entry, "linkinfo": {"kind": "veth"}}).mac == "00:00:00:00:08:00"


def test_what_was_recorded_is_recalled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same dataclasses come back, without a helper and without pyroute2."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    netlink = Netlink("here", ["sh", "-c"])
    links, routes = netlink.links(), netlink.routes()
    netlink.close()
    told = [event for event in read_record(tmp_path / "record") if isinstance(event, Answer)]
    assert [(answer.source, answer.where, answer.question) for answer in told] == [
        ("netlink", "here", "links"),
        ("netlink", "here", "routes main"),
    ]
    memory = Memory(told)
    again = Netlink("here", [], recorded=memory)
    assert (again.links(), again.routes()) == (links, routes)
    assert again._pipe is None
    assert "lo" in [link.name for link in links]


def test_a_record_of_another_form_is_an_error() -> None:
    """A field that is new or gone is told, with the command that helps."""
    memory = Memory([Answer("netlink", "node01", "addresses", [{"address": "10.0.0.1/32"}])])
    with pytest.raises(LabError, match="the recorded addresses have another form") as caught:
        Netlink("node01", [], recorded=memory).addresses()
    assert "lab update" in caught.value.hint


def test_the_hosts_own_links_can_be_read() -> None:
    """The helper needs nothing but python3."""
    netlink = Netlink("here", ["sh", "-c"])
    assert "lo" in [link.name for link in netlink.links()]
    netlink.close()


def test_a_question_costs_less_than_a_new_helper() -> None:
    """The connection is kept. The quickest of several tries are compared, since other work may be in the way."""

    def seconds(netlink: Netlink) -> float:
        begun = time.perf_counter()
        netlink.links()
        return time.perf_counter() - begun

    new = []
    for _ in range(3):
        netlink = Netlink("here", ["sh", "-c"])
        new.append(seconds(netlink))
        kept = [seconds(netlink) for _ in range(5)]
        netlink.close()
    assert min(kept) < min(new) / 2


def test_a_helper_that_ends_is_an_error_and_started_again() -> None:
    """A broken connection is told once, and the next question works."""
    netlink = Netlink("here", ["sh", "-c"])
    before = netlink.links()
    assert netlink._pipe is not None
    netlink._pipe._process.kill()
    with pytest.raises(LabError, match="the helper there ended"):
        netlink.links()
    assert netlink.links() == before
    netlink.close()


@pytest.mark.slow
def test_a_question_that_a_dying_helper_still_took_is_answered() -> None:
    """Its output ends before its input does: the question can be written, and nobody answers it."""
    netlink = Netlink("node01", ["sh", "-c", "exec >&-; exec cat >/dev/null"], timeout=5)
    with pytest.raises(LabError, match="the helper there ended"):
        netlink.links()


def test_an_unreachable_node_is_an_error() -> None:
    """The words of ssh are shown."""
    netlink = Netlink("node01/pod2", ["sh", "-c", "echo Connection refused >&2; exit 255"])
    with pytest.raises(LabError, match="node01/pod2") as caught:
        netlink.links()
    assert "Connection refused" in str(caught.value)
    assert "lab ssh node01 -- python3 -V" in str(caught.value)


def test_a_silent_node_is_an_error() -> None:
    """Nobody waits for ever."""
    netlink = Netlink("node01", ["sh", "-c", "sleep 60"], timeout=0.3)
    with pytest.raises(LabError, match=r"no answer within 0\.3 s"):
        netlink.links()


def test_an_unknown_table_is_an_error() -> None:
    """The names that there are, are told."""
    with pytest.raises(LabError, match="no routing table `mian`") as caught:
        Netlink("node01", ["false"]).routes("mian")
    assert "main" in caught.value.hint


def test_it_answers_where_an_event_loop_runs() -> None:
    """A notebook's kernel is inside a loop of its own; all questions go through one other thread."""

    async def ask() -> tuple[list[Link], list[Link]]:
        return netlink.links(), netlink.links()

    netlink = Netlink("here", ["sh", "-c"])
    first, second = asyncio.run(ask())
    assert "lo" in [link.name for link in first]
    assert first == second
    netlink.close()
