"""Between pods nobody replaces an address, nor a port."""

from lab import cluster

cluster.needs("two_containers")
duo, guest = cluster.pod("duo"), cluster.pod("guest")
node01, node02 = duo.node, guest.node
flows = "conntrack -L -p tcp -s 172.16.140.121 --sport 40000"
for node in (node01, node02):
    node.quiet(f"{flows.replace('-L', '-D')} || true")
# --8<-- [start:peer]
ask = "curl -s -H 'Connection: close' --local-port 40000"
there = guest.run(f"{ask} 172.16.196.181:8080/clientip -w '\\n'")
back = duo.run(f"{ask} 172.16.140.121:8080/clientip -w '\\n'")
# --8<-- [end:peer]
assert there.lines == ["172.16.140.121:40000"]
assert back.lines == ["172.16.196.181:40000"]
# --8<-- [start:flow]
cut = "2>/dev/null | sed 's/ mark.*//'"
outs = [n.run(f"{flows} {cut}") for n in (node02, node01)]
# --8<-- [end:flow]
for out in outs:
    words = out.stdout.split()
    ends = [w[4:] for w in words if w[:4] in ("src=", "dst=")]
    ports = [w[6:] for w in words if w[1:6] == "port="]
    assert ends == [guest.address, *[duo.address] * 2, guest.address]
    assert ports == ["40000", "8080", "8080", "40000"]
