"""On the node itself the port answers on every address, even lo's."""

from lab import cluster

cluster.needs("node_port")
node01 = cluster.node("node01")
# --8<-- [start:ask]
curl = "curl -s -o /dev/null -w '%{http_code}\\n'"
addresses = ("192.168.56.11", "172.16.196.128", "127.0.0.1")
own = [node01.run(f"{curl} http://{a}:30080/") for a in addresses]
setting = node01.run("sysctl net.ipv4.conf.all.route_localnet")
# --8<-- [end:ask]
assert [out.lines for out in own] == [["200"]] * 3
assert setting.lines == ["net.ipv4.conf.all.route_localnet = 1"]
have = [a.address for a in node01.addresses()]
assert {"192.168.56.11/24", "172.16.196.128/32"} <= set(have)
