"""A pod network made by hand on the two workers, in the way of Flannel: a bridge, a VXLAN device, three entries.

It stands beside Calico's network and does not touch it. Its addresses are
10.244.1.0/24 on the first worker and 10.244.2.0/24 on the second.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.builder import Builder
from lab.cluster import cluster
from lab.node import Node

POD = "hand-made"
"""The name of the network namespace that stands for a pod, on each of the two nodes."""


@dataclass(frozen=True)
class Side:
    """One node of the two.

    Attributes:
        node: The node.
        number: The third number of its addresses: 10.244.NUMBER.0/24.
        ip: Its network, to build on.
    """

    node: Node
    number: int
    ip: Builder

    @property
    def mac(self) -> str:
        """The Ethernet address of its VXLAN device."""
        return f"02:00:0a:f4:{self.number:02x}:00"


@contextmanager
def hand_made(*, joined: bool = True) -> Iterator[tuple[Side, Side]]:
    """Build it, and take it away at the end of the block.

    Args:
        joined: Whether each node knows the other already.

    Yields:
        The sides of node01 and node02.

    Raises:
        LabError: A node refused, for example because such a network is there already.
    """
    with ExitStack() as stack:
        sides = []
        for number, name in enumerate(("node01", "node02"), 1):
            node = cluster.node(name)
            stack.callback(_remove, node)
            node.quiet(f"ip netns add {POD}")
            sides.append(Side(node, number, node.builder(POD)))
            _build(sides[-1])
        if joined:
            join(sides[0], sides[1])
            join(sides[1], sides[0])
        yield sides[0], sides[1]


# --8<-- [start:build]
def _build(side: Side) -> None:
    ip, slice_ = side.ip, f"10.244.{side.number}"

    # The bridge has the address of the pods' gateway.
    ip.link("add", ifname="cni0", kind="bridge", mtu=1450, state="up")
    cni0 = ip.link_lookup(ifname="cni0")[0]
    ip.addr("add", index=cni0, address=f"{slice_}.1", prefixlen=24)

    # A cable: one end in the bridge, the other is the pod's eth0.
    far = {"ifname": "eth0", "net_ns_fd": POD, "mtu": 1450}
    port = {"kind": "veth", "master": cni0, "mtu": 1450, "state": "up"}
    ip.link("add", ifname="veth-pod", peer=far, **port)

    # The tunnel: network number 1, in UDP packets to port 8472.
    vxlan = {"kind": "vxlan", "vxlan_id": 1, "vxlan_port": 8472}
    own = {"vxlan_local": side.node.address, "address": side.mac}
    ip.link("add", ifname="flannel.1", mtu=1450, vxlan_learning=0, **vxlan, **own)
    tunnel = ip.link_lookup(ifname="flannel.1")[0]
    ip.link("set", index=tunnel, state="up")
    ip.addr("add", index=tunnel, address=f"{slice_}.0", prefixlen=32)
    # --8<-- [end:build]

    inside = f"ip -n {POD}"
    side.node.quiet(
        f"{inside} link set lo up && {inside} link set eth0 up && "
        f"{inside} addr add {slice_}.2/24 dev eth0 && {inside} route add default via {slice_}.1"
    )


def join(side: Side, other: Side) -> None:
    """Tell a node where the other one's pods are, as flanneld does: a route, an ARP entry and a forwarding entry.

    Raises:
        LabError: The kernel refused.
    """
    tunnel = side.ip.link_lookup(ifname="flannel.1")[0]
    there = f"10.244.{other.number}.0"
    side.ip.route("add", dst=f"{there}/24", gateway=there, oif=tunnel, proto="boot", flags=["onlink"])
    side.ip.neigh("add", ifindex=tunnel, dst=there, lladdr=other.mac, state="permanent")
    side.ip.fdb("append", ifindex=tunnel, lladdr=other.mac, dst=other.node.address)


def _remove(node: Node) -> None:
    """Take away what is there of it; routes and entries go with their device."""
    node.quiet(f"ip link del flannel.1; ip netns del {POD}; ip link del cni0; ip link del veth-pod; true")
