"""With the policy Cluster, a pod sees the node as its client."""

from lab import cluster

cluster.needs("node_port")
control, node01, node02 = cluster.nodes
# --8<-- [start:peer]
who = "curl -s http://{}:30081/clientip | cut -d: -f1"
by_control = node01.run(who.format("192.168.56.10"))
by_node01 = control.run(who.format("192.168.56.11"))
by_node02 = control.run(who.format("192.168.56.12"))
node01.run("ip addr show tunl0")
# --8<-- [end:peer]
assert cluster.pod("web-1").node is node02
outs = (by_control, by_node01, by_node02)
for node, out in zip(cluster.nodes, outs, strict=True):
    own = {a.dev: a.address for a in node.addresses()}
    assert out.lines == [own["tunl0"].removesuffix("/32")]
