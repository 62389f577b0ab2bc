"""A cable made of software, its two ends in two computers."""

from lab import sandbox

# --8<-- [start:build]
host1, host2 = sandbox.host("host1"), sandbox.host("host2")
ip = sandbox.netlink
far = {"ifname": "eth0", "net_ns_fd": "host2"}
ip.link("add", ifname="eth0", kind="veth", peer=far)
eth0 = ip.link_lookup(ifname="eth0")[0]
ip.link("set", index=eth0, net_ns_fd="host1")

for host, address in (host1, "10.1.0.1"), (host2, "10.1.0.2"):
    own = host.netlink
    eth0 = own.link_lookup(ifname="eth0")[0]
    own.link("set", index=eth0, state="up")
    own.addr("add", index=eth0, address=address, prefixlen=24)
# --8<-- [end:build]
# --8<-- [start:look]
host1.run("ip -br addr show eth0; ip route")
ping = host1.run("ping -c 1 10.1.0.2 | head -n 2")
# --8<-- [end:look]
assert "ttl=64" in ping.lines[1]
one, two = host1.links()[-1], host2.links()[-1]
assert one.name == two.name == "eth0"
assert one.kind == two.kind == "veth"
assert (one.peer_index, two.peer_index) == (two.index, one.index)
assert not sandbox.netlink.link_lookup(ifname="eth0")
