"""One route for each other node's block, and a hole for the rest."""

from lab import cluster

# --8<-- [start:routes]
for node in cluster.nodes:
    node.run("ip route | grep bird")
# --8<-- [end:routes]
blocks = {
    "controlplane": "172.16.49.64/26",
    "node01": "172.16.196.128/26",
    "node02": "172.16.140.64/26",
}
for node in cluster.nodes:
    routes = {r.dst: r for r in node.routes() if r.proto == "bird"}
    assert set(routes) == set(blocks.values())
    assert routes[blocks[node.name]].type == "blackhole"

    for other in cluster.nodes:
        if other is not node:
            route = routes[blocks[other.name]]
            assert route.gateway == other.address
            assert route.dev == "tunl0" and route.onlink

# An address that no pod has leads nowhere.
node01 = cluster.node("node01")
lost = node01.quiet("ip route get 172.16.196.150", status=2)
assert lost.stderr == "RTNETLINK answers: Invalid argument\n"
