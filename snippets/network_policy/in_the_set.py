"""A label puts a pod into the set; no rule changes."""

from lab import cluster

cluster.needs("policy")
cluster.alone("lets a pod into the set of the allowed")
node01, stranger = cluster.node("node01"), cluster.pod("stranger")
members = "ipset save cali40s:ulcjvoHsyt7waOxmub3wx41 | grep add"
connect = "/agnhost connect --timeout=2s 172.16.196.155:8080"
label = "label pod stranger --overwrite app"
node01.wait_until(f"{members} | grep 172.16.140.75")
# --8<-- [start:before]
before = node01.run(members)
node01.run("iptables -S | sha256sum > /tmp/sum")
cluster.kubectl(f"{label}=friend")
# --8<-- [end:before]
try:
    node01.wait_until(f"{members} | grep 172.16.140.76")
    # --8<-- [start:after]
    after = node01.run(f"{members} | sort")
    node01.run("iptables -S | sha256sum -c /tmp/sum")
    stranger.run(connect)
    # --8<-- [end:after]
finally:
    cluster.nodes[0].quiet(f"kubectl {label}=stranger")
    node01.wait_until(f"! {members} | grep 172.16.140.76")
    node01.quiet("rm /tmp/sum")
stranger.run(connect, status=1)
friends = ["172.16.140.75", "172.16.140.76"]
assert [line.split()[2] for line in before.lines] == friends[:1]
assert [line.split()[2] for line in after.lines] == friends
