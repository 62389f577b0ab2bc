"""The route of the notes, printed again letter for letter."""

from lab import cluster

cluster.needs("pods")
node01 = cluster.node("node01")
# --8<-- [start:route]
out = node01.run("ip route show 172.16.196.148")
# --8<-- [end:route]
assert out.lines == ["172.16.196.148 dev calibd2348b4f67 scope link"]
assert cluster.pod("pod2").address == "172.16.196.148"

routes = [r for r in node01.routes() if r.dst == "172.16.196.148/32"]
assert len(routes) == 1
assert routes[0].dev == "calibd2348b4f67"
assert routes[0].gateway is None
assert routes[0].proto == "boot"
