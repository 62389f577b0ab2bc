"""One ping between nodes, seen in the tunnel and on the wire."""

from lab import cluster

cluster.needs("pods")
cluster.alone("takes the first packets of the tunnel for its own")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
up = "listening on"
# --8<-- [start:wire]
dump = "tcpdump -n -t -v -c 2 -i"
wire = f"{dump} eth0 ip proto 4 and host 192.168.56.12"
tunnel = f"{dump} tunl0 icmp and host 172.16.140.70"

with (
    node01.background(wire, ready=up) as outer,
    node01.background(tunnel, ready=up) as inner,
):
    pod2.run("ping -c 1 -q 172.16.140.70 | grep received")
# --8<-- [end:wire]
bare = [line.strip() for line in inner.result.lines]
asks = "172.16.196.148 > 172.16.140.70: ICMP echo request, "
told = "172.16.140.70 > 172.16.196.148: ICMP echo reply, "
assert bare[0].endswith("proto ICMP (1), length 84)")
assert bare[1].startswith(asks)
assert bare[3].startswith(told)

# The same packets, each behind a header of its own.
wrapped = [line.strip() for line in outer.result.lines]
there = "192.168.56.11 > 192.168.56.12: "
back = "192.168.56.12 > 192.168.56.11: "
assert wrapped[0].endswith("proto IPIP (4), length 104)")
assert wrapped[1:3] == [there + bare[0], bare[1]]
assert wrapped[3].endswith("proto IPIP (4), length 104)")
assert wrapped[4:] == [back + bare[2], bare[3]]
