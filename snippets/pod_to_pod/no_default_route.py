"""Proxy ARP needs a route: without one, a pod finds no router."""

from lab import cluster

cluster.needs("pods")
cluster.alone("takes the default route off node01")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
before = node01.quiet("ip route show default").lines[0]
# --8<-- [start:ask]
ping = "ping -c 1 -W 5 172.16.196.147"
router = "ip neigh show 169.254.1.1"
# --8<-- [end:ask]
try:
    # --8<-- [start:gone]
    node01.run("ip route del default")
    node01.quiet(f"nsenter -t {pod2.pid} -n ip neigh flush dev eth0")
    lost = pod2.run(f"{ping} | sed -n 2p")
    nobody = pod2.run(router)
    # --8<-- [end:gone]
finally:
    node01.quiet(f"ip route add {before}")
# --8<-- [start:back]
way = node01.run("ip route show default")
found = pod2.run(f"{ping} | grep received")
somebody = pod2.run(router)
# --8<-- [end:back]
assert "Destination Host Unreachable" in lost.stdout
assert nobody.lines == ["169.254.1.1 dev eth0 FAILED"]
assert way.lines == [before]
assert "1 received" in found.stdout
assert "lladdr ee:ee:ee:ee:ee:ee" in somebody.stdout
