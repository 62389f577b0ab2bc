"""The node's name decides which block of addresses it gets first."""

from lab import cluster

node01 = cluster.node("node01")
# --8<-- [start:block]
names = [node.name for node in cluster.nodes]

draw = "first-block 172.16.0.0/16 26"
out = node01.run(f"{draw} {' '.join(names)}")
# --8<-- [end:block]
drawn = {line.split()[0]: line.split()[-1] for line in out.lines}
assert drawn["node01"] == "172.16.196.128/26"

for name, line in zip(names, out.lines, strict=True):
    # --8<-- [start:hash]
    value = 2166136261
    for byte in name.encode():
        value = value * 16777619 % 2**32 ^ byte
    # --8<-- [end:hash]
    assert line.startswith(f"{name} fnv32 {value} block ")

# --8<-- [start:api]
group = ("crd.projectcalico.org", "v1", "blockaffinities")
found = cluster.custom_objects.list_cluster_custom_object(*group)
specs = [item["spec"] for item in found["items"]]

assert {spec["node"]: spec["cidr"] for spec in specs} == drawn
# --8<-- [end:api]
more = node01.quiet(f"{draw} node03")
assert more.lines[0].endswith(": 172.16.186.192/26")
