"""Figures of what the sandbox holds, and of the way through iptables."""

from lab.site.svg import ACCENT, INK, PAPER, figure, line, rect, text
from lab.spec import Spec

_HOOKS = {
    "PREROUTING": ("raw", "mangle", "nat"),
    "INPUT": ("mangle", "filter", "nat"),
    "FORWARD": ("mangle", "filter"),
    "OUTPUT": ("raw", "mangle", "nat", "filter"),
    "POSTROUTING": ("mangle", "nat"),
}
SERVERS = {"server1": "10.0.0.2", "server2": "10.0.0.3", "server3": "10.0.0.4"}


def two_hosts(spec: Spec) -> str:
    """Draw two hosts on a bridge, the sandbox as their router, and the world behind it."""
    parts = [
        rect(12, 12, 836, 226, PAPER, INK),
        text(32, 42, "the sandbox", bold=True, size=17),
        text(32, 64, "hosts and router on one machine", dim=True),
        rect(376, 172, 452, 46, ACCENT, ACCENT, opacity=0.1),
        text(396, 200, "br0", mono=True, bold=True, size=16),
        text(808, 200, "10.1.0.254", anchor="end", mono=True),
    ]
    for x, name, address in ((376, "host1", "10.1.0.1"), (628, "host2", "10.1.0.2")):
        parts += [
            line(x + 100, 112, x + 100, 172, INK),
            *_host(x, 46, 200, name, f"eth0 {address}"),
            text(x + 110, 148, "veth", dim=True, size=13),
        ]
    parts += [
        line(212, 195, 376, 195, INK, dash="2 4"),
        text(294, 184, "forwards", anchor="middle", dim=True, size=13),
        rect(32, 164, 180, 62, PAPER, ACCENT),
        text(48, 190, "uplink", mono=True, bold=True, size=16),
        text(48, 212, "203.0.113.1", mono=True),
        text(196, 190, "NAT", anchor="end", dim=True),
        line(122, 226, 122, 282, INK),
        *_host(12, 282, 220, "world", "eth0 203.0.113.80"),
        text(252, 310, "knows no way to 10.1.0.0/24,", dim=True),
        text(252, 332, "so it can answer nobody but 203.0.113.1", dim=True),
    ]
    words = (
        "Inside the sandbox, host1 with 10.1.0.1 and host2 with 10.1.0.2 each have a veth cable to the bridge br0. "
        "The sandbox has 10.1.0.254 on that bridge and is the router. Its other device, uplink with 203.0.113.1, "
        "leads to the host world with 203.0.113.80, which knows no way to 10.1.0.0/24."
    )
    return figure("two-hosts", 860, 360, "Two hosts, a bridge, a router", words, parts)


def hooks(spec: Spec) -> str:
    """Draw the five hooks, the tables at each, and the three ways past them."""
    parts = [
        line(12, 116, 848, 116, INK),
        line(304, 116, 304, 292, INK),
        line(304, 292, 592, 292, INK),
        line(592, 116, 592, 292, INK),
        text(12, 42, "in", bold=True),
        text(12, 62, "from a device", dim=True),
        text(848, 42, "out", bold=True, anchor="end"),
        text(848, 62, "to a device", dim=True, anchor="end"),
        *_hook(40, 81, "PREROUTING"),
        *_hook(372, 81, "FORWARD"),
        *_hook(664, 81, "POSTROUTING"),
        *_decision(304, 116),
        *_decision(592, 292),
        *_hook(228, 182, "INPUT"),
        *_hook(516, 182, "OUTPUT"),
        rect(372, 270, 152, 44, PAPER, INK),
        text(448, 297, "a process", anchor="middle", bold=True),
    ]
    tables = "; ".join(f"{hook}: {', '.join(names)}" for hook, names in _HOOKS.items())
    words = (
        "A packet that comes in meets PREROUTING, then a routing decision. If it is for another host it goes on "
        "through FORWARD and POSTROUTING and out. If it is for this host it goes through INPUT to a process. A packet "
        "that a process sends is routed, meets OUTPUT, then POSTROUTING, and goes out. "
        f"The tables at each hook, in order: {tables}."
    )
    return figure("hooks", 860, 330, "Five hooks and three ways", words, parts)


def three_servers(spec: Spec) -> str:
    """Draw the load balancer's world."""
    parts = [
        line(176, 150, 640, 150, INK),
        *_host(12, 117, 164, "client", "192.168.1.2"),
        rect(276, 60, 308, 180, PAPER, ACCENT),
        text(430, 88, "front", bold=True, size=17, anchor="middle"),
        rect(292, 132, 132, 36, PAPER, INK),
        text(358, 155, "192.168.1.1", anchor="middle", mono=True),
        rect(448, 132, 120, 36, PAPER, INK),
        text(508, 155, "10.0.0.1", anchor="middle", mono=True),
        text(358, 192, "port 27017", anchor="middle", dim=True),
        text(430, 222, "the rules are here", anchor="middle", dim=True),
        text(226, 140, "outer", anchor="middle", dim=True, size=13),
        text(612, 140, "inner", anchor="middle", dim=True, size=13),
        line(640, 57, 640, 243, INK),
    ]
    for y, (name, address) in zip((24, 117, 210), SERVERS.items(), strict=True):
        parts += [line(640, y + 33, 684, y + 33, INK), *_host(684, y, 164, name, f"{address}:1234")]
    servers = ", ".join(f"{name} with {address}" for name, address in SERVERS.items())
    words = (
        "The client with 192.168.1.2 and the front with 192.168.1.1 share the outer network. On the inner network the "
        f"front has 10.0.0.1, and there are {servers}, each listening on port 1234. "
        "The client asks port 27017 of the front."
    )
    return figure("three-servers", 860, 300, "A client, a front, three servers", words, parts)


def cascade(spec: Spec) -> str:
    """Draw how three rules share ninety connections."""
    left, parts = 90, []
    rules = (("every 3", 3), ("every 2", 2), ("no condition", 1))
    for place, ((rule, share), server) in enumerate(zip(rules, SERVERS, strict=True)):
        x, taken = 120 + place * 246, left // share
        parts += [
            line(x - 96, 66, x, 66, INK),
            text(x - 48, 54, str(left), anchor="middle", bold=True),
            rect(x, 40, 150, 52, PAPER, ACCENT),
            text(x + 75, 62, f"rule {place + 1}", anchor="middle", bold=True),
            text(x + 75, 82, rule, anchor="middle", dim=True, size=13),
            line(x + 75, 92, x + 75, 150, INK),
            text(x + 85, 126, f"{taken}", bold=True),
            rect(x, 150, 150, 40, ACCENT, ACCENT, opacity=0.1),
            text(x + 75, 176, server, anchor="middle", mono=True, bold=True),
        ]
        left -= taken
    words = (
        "Of 90 connections the first rule takes every third: 30 go to server1 and 60 go on. The second rule takes "
        "every second of those: 30 go to server2 and 30 go on. The third rule takes all that reach "
        "it: 30 go to server3."
    )
    return figure("cascade", 776, 206, "Ninety connections and three rules", words, parts)


def _host(x: int, y: int, width: int, name: str, address: str) -> list[str]:
    """A computer with its address."""
    return [
        rect(x, y, width, 66, PAPER, INK),
        text(x + 14, y + 27, name, bold=True, size=16),
        text(x + 14, y + 51, address, mono=True),
    ]


def _hook(x: int, y: int, name: str) -> list[str]:
    """A hook with its tables, in the order in which a packet meets them."""
    return [
        rect(x, y, 152, 70, PAPER, ACCENT),
        text(x + 76, y + 30, name, anchor="middle", bold=True, mono=True, size=15),
        text(x + 76, y + 54, " ".join(_HOOKS[name]), anchor="middle", dim=True, size=13),
    ]


def _decision(x: int, y: int) -> list[str]:
    """The place where the kernel asks its routes."""
    return [rect(x - 34, y - 15, 68, 30, PAPER, INK), text(x, y + 5, "routes", anchor="middle")]


FIGURES = {
    "two-hosts.svg": two_hosts,
    "hooks.svg": hooks,
    "three-servers.svg": three_servers,
    "cascade.svg": cascade,
}
