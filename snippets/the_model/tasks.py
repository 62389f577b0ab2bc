"""What the two containers of a pod share, and what they do not."""

from lab import cluster

cluster.needs("two_containers")
node01 = cluster.node("node01")
duo = cluster.pod("duo")
# --8<-- [start:tasks]
front = duo.run("hostname")
back = cluster.kubectl("exec duo -c back -- hostname")
no = duo.run("cat /tmp/index.html", status=1)
yes = cluster.kubectl("exec duo -c back -- cat /tmp/index.html")
host = node01.run("lsns -n -t net -o COMMAND -p $(pgrep -ox pause)")
# --8<-- [end:tasks]
assert front.lines == back.lines == ["duo"]
assert "No such file" in no.stderr and yes.lines == ["I am back"]
assert host.lines[0].startswith("/sbin/init")
