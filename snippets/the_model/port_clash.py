"""Containers of a pod share its ports; two pods share none."""

from lab import cluster

cluster.needs("two_containers")
control = cluster.node("controlplane")
# --8<-- [start:clash]
serve = "/tmp/httpd -f -p 8080"
late = cluster.kubectl(f"exec duo -c back -- {serve}", status=1)

name = "hostname -w '\\n'"
duo = control.run(f"curl -s 172.16.196.181:8080/{name}")
guest = control.run(f"curl -s 172.16.140.121:8080/{name}")
# --8<-- [end:clash]
assert "bind: Address already in use" in late.stderr
assert duo.lines == ["duo"] and guest.lines == ["guest"]
