"""Between pods of one node, nothing enters the tunnel."""

from lab import cluster

cluster.needs("pods")
node01, pod1 = cluster.node("node01"), cluster.pod("pod1")
# --8<-- [start:same]
dump = "tcpdump -n -i tunl0 host 172.16.196.148"
with node01.background(dump, ready="listening on", stop=True) as seen:
    ping = pod1.run("ping -c 1 172.16.196.148 | head -n 2")
# --8<-- [end:same]
assert "ttl=63" in ping.stdout
assert seen.result.lines == []
assert "\n0 packets captured\n" in seen.result.stderr
# --8<-- [start:decision]
there = "ip route get 172.16.196.148"
here = "from 172.16.196.147 iif calice0906292e2"

way = node01.run(f"{there} {here}")
# --8<-- [end:decision]
assert "dev calibd2348b4f67" in way.lines[0]
