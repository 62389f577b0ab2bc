"""Two routers with a host behind each, and the routes between them."""

from lab.worlds import two_nodes

left, right, pod1, pod2 = two_nodes()
# --8<-- [start:routes]
ping = "ping -c 1 10.1.2.2 | tail -n +2 | head -n 1"

pod1.run("ip route")
left.run("ip route")
lost = pod1.run(ping)
left.run("ip route add 10.1.2.0/24 via 192.0.2.2")
right.run("ip route add 10.1.1.0/24 via 192.0.2.1")
found = pod1.run(ping)
# --8<-- [end:routes]
assert "Destination Net Unreachable" in lost.stdout
assert "ttl=62" in found.stdout

# The routes alone do not do it: both must forward.
right.quiet("sysctl -q -w net.ipv4.ip_forward=0")
pod1.quiet("ping -c 1 -W 1 10.1.2.2", status=1)
