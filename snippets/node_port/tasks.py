"""A port outside the range, a door's name, and who asks as whom."""

from lab import cluster

cluster.needs("node_port")
control, node01, node02 = cluster.nodes
client = cluster.pod("client")
# --8<-- [start:tasks]
make = "create service nodeport low --tcp=80 --node-port=29999"
no = cluster.kubectl(make, status=1)
door = "iptables -t nat -S KUBE-NODEPORTS | grep default/solo"
found = node01.run(door)
url = "'192.168.56.11:30084/hostname?[1-40]'"
new = "-H 'Connection: close' -w '\\n'"
three = client.run(f"curl -s {url} {new} | sort -u")
none = client.run("curl -s -m 2 192.168.56.10:30084", status=28)
who = "curl -s 127.0.0.1:30081/clientip | cut -d: -f1"
itself = node02.run(who)
# --8<-- [end:tasks]
assert "valid ports is 30000-32767" in no.stderr
assert "KUBE-EXT-XVJHHMIFZ6BOUBWS" in found.stdout
assert three.lines == ["web-0", "web-1", "web-2"]
assert none.stdout == "" and itself.lines == ["172.16.140.64"]
