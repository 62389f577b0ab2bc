"""Containers of a pod meet on localhost, and nobody else does."""

from lab import cluster

cluster.needs("two_containers")
duo, guest = cluster.pod("duo"), cluster.pod("guest")
# --8<-- [start:inside]
listen = "ss -ltn | awk '{print $1, $4}'"
ports = duo.run(listen)
front = duo.run("curl -s localhost:9000")
back = cluster.kubectl("exec duo -c back -- curl -s localhost:8080/hostname")
# --8<-- [end:inside]
# --8<-- [start:outside]
ask = "curl -sS -m 3 -o /dev/null"
other = guest.run(f"{ask} 172.16.196.181:9000", status=7)
own = guest.run(f"{ask} localhost:9000", status=7)
# --8<-- [end:outside]
assert sorted(ports.lines[1:]) == [
    "LISTEN *:8080",
    "LISTEN 127.0.0.1:9000",
]
assert front.lines == ["I am back"]
assert back.stdout == "duo"
assert "Failed to connect to 172.16.196.181" in other.stderr
assert "Failed to connect to localhost" in own.stderr
open_door = guest.run("curl -s 172.16.196.181:8080/hostname")
assert open_door.stdout == "duo"
