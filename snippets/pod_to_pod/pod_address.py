"""What a pod sees: one address, two routes, one neighbour."""

from lab import cluster

cluster.needs("pods")
pod2 = cluster.pod("pod2")
# --8<-- [start:inside]
pod2.run("ip -4 addr show eth0")
pod2.run("ip route")
ping = pod2.run("ping -c 1 172.16.140.70 | head -n 2")
pod2.run("ip neigh show 169.254.1.1")
# --8<-- [end:inside]
assert "ttl=62" in ping.stdout

eth0 = next(link for link in pod2.links() if link.name == "eth0")
assert (eth0.kind, eth0.mtu) == ("veth", 1480)

own = [a.address for a in pod2.addresses() if a.dev == "eth0"]
assert own == [f"{pod2.address}/32"] == ["172.16.196.148/32"]

ways = [(r.dst, r.gateway, r.dev) for r in pod2.routes()]
assert ways == [
    ("default", "169.254.1.1", "eth0"),
    ("169.254.1.1/32", None, "eth0"),
]
macs = {n.address: n.mac for n in pod2.neighbours()}
assert macs["169.254.1.1"] == "ee:ee:ee:ee:ee:ee"

nodes = [a.address for n in cluster.nodes for a in n.addresses()]
assert not [a for a in nodes if a.startswith("169.254.")]
