"""Every node answers, also one that has no pod of the Service."""

from lab import cluster

cluster.needs("node_port")
control, node01, _ = cluster.nodes
# --8<-- [start:ask]
curl = "curl -s -w '\\n' -H 'Connection: close'"
page = "hostname?[1-60]"
outs = [
    asker.run(f'{curl} "http://{asked}:30080/{page}" | sort -u')
    for asker, asked in (
        (node01, "192.168.56.10"),
        (control, "192.168.56.11"),
        (control, "192.168.56.12"),
    )
]
# --8<-- [end:ask]
for out in outs:
    assert out.lines == ["web-0", "web-1", "web-2"]
places = [cluster.pod(f"web-{n}").node.name for n in range(3)]
assert places == ["node01", "node02", "node02"]
