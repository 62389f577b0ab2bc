"""From two private computers to the world, and back."""

from lab import sandbox
from lab.worlds import two_hosts

host1, host2 = two_hosts()
# --8<-- [start:world]
world = sandbox.host("world")
ip, far = sandbox.netlink, world.netlink

peer = {"ifname": "eth0", "net_ns_fd": "world"}
ip.link("add", ifname="uplink", kind="veth", peer=peer, state="up")
for side, name, address in (
    (ip, "uplink", "203.0.113.1"),
    (far, "eth0", "203.0.113.80"),
):
    n = side.link_lookup(ifname=name)[0]
    side.link("set", index=n, state="up")
    side.addr("add", index=n, address=address, prefixlen=24)
world.serve(80)
# --8<-- [end:world]
# --8<-- [start:lost]
world.run("ip route")
sandbox.run("sysctl -w net.ipv4.ip_forward=1")
host1.run("curl -s -m 2 203.0.113.80", status=28)
# --8<-- [end:lost]
# --8<-- [start:nat]
rule = "-A POSTROUTING -s 10.1.0.0/24 -o uplink -j MASQUERADE"
sandbox.run(f"iptables -t nat {rule}")
found = host1.run("curl -s 203.0.113.80")
# --8<-- [end:nat]
assert "10.1.0.0/24" not in [route.dst for route in world.routes()]
assert found.lines == ["world was asked by 203.0.113.1"]
assert host2.quiet("curl -s 203.0.113.80").lines == found.lines
