"""One cable with two ends: one in the pod, one on the node."""

from lab import cluster

cluster.needs("pods")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
# --8<-- [start:ends]
cali = "calibd2348b4f67"

pod2.run("ip -4 addr show eth0 | head -n 1")
node01.run(f"ip link show {cali}")
proxy = node01.run(f"sysctl net.ipv4.conf.{cali}.proxy_arp")
bridges = node01.run("ip link show type bridge")
# --8<-- [end:ends]
inner = next(x for x in pod2.links() if x.name == "eth0")
outer = next(x for x in node01.links() if x.name == cali)
assert inner.kind == outer.kind == "veth"
assert inner.peer_index == outer.index
assert outer.peer_index == inner.index
assert outer.mac == "ee:ee:ee:ee:ee:ee"
assert inner.mac != outer.mac

assert proxy.lines == [f"net.ipv4.conf.{cali}.proxy_arp = 1"]
assert bridges.stdout == ""
assert "bridge" not in [x.kind for x in node01.links()]
assert not [a for a in node01.addresses() if a.dev == cali]
