"""One pod is reached in the four ways that the model names."""

from lab import cluster

cluster.needs("two_containers")
duo, guest = cluster.pod("duo"), cluster.pod("guest")
control = cluster.node("controlplane")
# --8<-- [start:four]
name = "hostname -w '\\n'"
one = duo.run("curl -s localhost:9000")
two = guest.run(f"curl -s 172.16.196.181:8080/{name}")
three = guest.run(f"curl -s 10.96.0.70/{name}")
four = control.run(f"curl -s 192.168.56.12:30070/{name}")
# --8<-- [end:four]
assert one.lines == ["I am back"]
assert two.lines == three.lines == four.lines == ["duo"]
assert (duo.node.name, guest.node.name) == ("node01", "node02")
