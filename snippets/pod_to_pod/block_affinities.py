"""Which node holds which block, as Calico keeps it."""

from ipaddress import ip_network as net

from lab import cluster

# --8<-- [start:blocks]
blocks = "blockaffinities.crd.projectcalico.org"
columns = "NODE:.spec.node,CIDR:.spec.cidr,STATE:.spec.state"
fields = "'Name:|Cidr:|Node:|State:'"

out = cluster.kubectl(f"get {blocks} \\\n  -o custom-columns={columns}")
more = "describe blockaffinities node01"
cluster.kubectl(f"{more} \\\n  | grep -E {fields}")
# --8<-- [end:blocks]
rows = [line.split() for line in out.lines]
assert rows == [
    ["NODE", "CIDR", "STATE"],
    ["controlplane", "172.16.49.64/26", "confirmed"],
    ["node01", "172.16.196.128/26", "confirmed"],
    ["node02", "172.16.140.64/26", "confirmed"],
]
# --8<-- [start:pod_cidr]
cluster.kubectl("get node controlplane -o jsonpath={.spec.podCIDR}")
# --8<-- [end:pod_cidr]
nodes = cluster.core.list_node().items
cidrs = {node.metadata.name: node.spec.pod_cidr for node in nodes}
assert cidrs["controlplane"] == "172.16.0.0/24"
assert net("172.16.0.0/16").supernet_of(net(cidrs["node01"]))
for node, block, _ in rows[1:]:
    assert not net(cidrs[node]).overlaps(net(block))
