"""Out of the cluster, a pod goes under its node's address."""

from lab import cluster

cluster.needs("node_port")
node01, client = cluster.node("node01"), cluster.pod("client")
up = "listening on"
# --8<-- [start:ping]
dump = "tcpdump -n -t -c 1 icmp and dst 192.168.56.1 -i"
with (
    node01.background(f"{dump} calia7a3e029a7b", ready=up) as inside,
    node01.background(f"{dump} eth0", ready=up) as outside,
):
    client.run("ping -c 1 -q 192.168.56.1 | grep received")
# --8<-- [end:ping]
asks = "> 192.168.56.1: ICMP echo request"
assert f"IP 172.16.196.170 {asks}" in inside.result.stdout
assert f"IP 192.168.56.11 {asks}" in outside.result.stdout
# --8<-- [start:rule]
who = client.run("curl -s 172.16.140.80:8080/clientip | cut -d: -f1")
rule = node01.run("iptables -t nat -S cali-nat-outgoing")
sets = "cali40all-ipam-pools cali40masq-ipam-pools"
for name in sets.split():
    pool = node01.run(f"ipset list {name} | tail -n 1")
    assert pool.lines == ["172.16.0.0/16"]
# --8<-- [end:rule]
assert who.lines == ["172.16.196.170"]
match = "--match-set cali40masq-ipam-pools src"
other = "! --match-set cali40all-ipam-pools dst"
assert match in rule.stdout and other in rule.stdout
assert "-j MASQUERADE" in rule.lines[-1]
