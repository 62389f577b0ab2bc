"""A node answers a ping; a Service's address does not."""

from lab import cluster

cluster.needs("node_port")
control = cluster.node("controlplane")
# --8<-- [start:ping]
cut = "| grep received"
node = control.run(f"ping -c 1 -W 2 192.168.56.11 {cut}")
service = control.run(f"ping -c 1 -W 2 10.96.0.80 {cut}")
# --8<-- [end:ping]
assert "1 received" in node.stdout
assert "0 received" in service.stdout
