"""Containers of a pod meet on localhost, and nobody else does."""

from lab import cluster

cluster.needs("two_containers")
duo, guest = cluster.pod("duo"), cluster.pod("guest")
# --8<-- [start:inside]
ports = duo.run("ss -Hltn | awk '{print $4}' | sort")
front = duo.run("curl -s localhost:9000")
ask = "curl -s localhost:8080/hostname"
back = cluster.kubectl(f"exec duo -c back -- {ask}")
# --8<-- [end:inside]
# --8<-- [start:outside]
ask = "curl -s -o /dev/null --max-time 5"
guest.run(f"{ask} 172.16.196.181:8080")
guest.run(f"{ask} 172.16.196.181:9000", status=7)
guest.run(f"{ask} localhost:9000", status=7)
# --8<-- [end:outside]
assert ports.lines == ["*:8080", "127.0.0.1:9000"]
assert front.lines == ["I am back"]
assert back.stdout == "duo"
