"""Two computers, a switch and a router, from nothing."""

from lab import sandbox

plan = {"host1": "10.1.0.1", "host2": "10.1.0.2"}
# --8<-- [start:build]
ip = sandbox.netlink
ip.link("add", ifname="br0", kind="bridge", state="up")
br0 = ip.link_lookup(ifname="br0")[0]
ip.addr("add", index=br0, address="10.1.0.254", prefixlen=24)
port = {"kind": "veth", "master": br0, "state": "up"}

for name, address in plan.items():
    host = sandbox.host(name)
    far = {"ifname": "eth0", "net_ns_fd": name}
    ip.link("add", ifname=name, peer=far, **port)
    own = host.netlink
    eth0 = own.link_lookup(ifname="eth0")[0]
    own.link("set", index=eth0, state="up")
    own.addr("add", index=eth0, address=address, prefixlen=24)
    own.route("add", dst="default", gateway="10.1.0.254")
# --8<-- [end:build]
# --8<-- [start:look]
host1, host2 = sandbox.host("host1"), sandbox.host("host2")

sandbox.run("ip -br addr show master br0; ip route")
host1.run("ip -br addr show eth0; ip route")
host1.run("ping -c 1 10.1.0.2 | head -n 2")
host2.run("ping -c 1 10.1.0.254 | head -n 2")
# --8<-- [end:look]
ports = [link.name for link in sandbox.links()]
assert {"br0", "host1", "host2"} < set(ports)
for host in host1, host2:
    ways = [(r.dst, r.gateway, r.dev) for r in host.routes()]
    assert ways == [
        ("default", "10.1.0.254", "eth0"),
        ("10.1.0.0/24", None, "eth0"),
    ]
