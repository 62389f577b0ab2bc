"""Three computers at one switch, which learns who is where."""

from lab import sandbox

# --8<-- [start:build]
ip = sandbox.netlink
ip.link("add", ifname="br0", kind="bridge", state="up")
br0 = ip.link_lookup(ifname="br0")[0]
port = {"kind": "veth", "master": br0, "state": "up"}

for n in 1, 2, 3:
    host, mac = sandbox.host(f"host{n}"), f"02:00:00:00:00:0{n}"
    far = {"ifname": "eth0", "net_ns_fd": host.name, "address": mac}
    ip.link("add", ifname=f"port{n}", peer=far, **port)
    own = host.netlink
    eth0 = own.link_lookup(ifname="eth0")[0]
    own.link("set", index=eth0, state="up")
    own.addr("add", index=eth0, address=f"10.1.0.{n}", prefixlen=24)
# --8<-- [end:build]
# --8<-- [start:look]
host1 = sandbox.host("host1")
ping = host1.run("ping -c 1 10.1.0.3 | head -n 2")
learnt = sandbox.run("bridge fdb show br br0 dynamic | sort")
# --8<-- [end:look]
assert "ttl=64" in ping.lines[1]
assert [line.split()[:3] for line in learnt.lines] == [
    ["02:00:00:00:00:01", "dev", "port1"],
    ["02:00:00:00:00:03", "dev", "port3"],
]
for n in 1, 3:
    sandbox.host("host2").quiet(f"ping -c 1 10.1.0.{n}")
