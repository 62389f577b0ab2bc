"""An address that answers, and that nobody has."""

from lab import cluster

cluster.needs("web")
node01, client = cluster.node("node01"), cluster.pod("client")
# --8<-- [start:answer]
shown = "'%{http_code} from %{remote_ip}\\n'"
curl = f"curl -s -o /dev/null -w {shown}"
out = client.run(f"{curl} http://10.96.0.80/")
# --8<-- [end:answer]
assert out.lines == ["200 from 10.96.0.80"]
# --8<-- [start:owner]
for node in cluster.nodes:
    node.run("ip -4 addr | grep 10.96.0.80", status=1)
node01.run("ip route get 10.96.0.80")
# --8<-- [end:owner]
places = [*cluster.nodes, client]
places += [cluster.pod(f"web-{n}") for n in range(3)]
for place in places:
    own = [a.address.split("/")[0] for a in place.addresses()]
    assert own and "10.96.0.80" not in own

for node in cluster.nodes:
    ways = [*node.routes(), *node.routes("local")]
    assert not [r for r in ways if r.dst.startswith("10.96.")]
    way = node.quiet("ip route get 10.96.0.80").stdout
    assert "via 192.168.56.1 dev eth0" in way
