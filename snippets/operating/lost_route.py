"""Without a route, packets for a pod leave the cluster."""

from lab import cluster

cluster.needs("web")
cluster.alone("takes away a route of node01")
node01, client = cluster.node("node01"), cluster.pod("client")
bird = "$(pgrep -f '^bird ')"
block = "172.16.140.64/26"
page = "curl -s -m 1 -o /dev/null -w '%{http_code}\\n'"
before = node01.routes()
try:
    # --8<-- [start:lost]
    node01.run(f"kill -STOP {bird}")
    node01.run(f"ip route del {block}")

    here = client.run(f"{page} 172.16.196.160:8080")
    there = client.run(f"{page} 172.16.140.80:8080", status=28)
    way = node01.run("ip route get 172.16.140.80 | head -n 1")
    # --8<-- [end:lost]
finally:
    # --8<-- [start:repair]
    node01.run(f"kill -CONT {bird}")
    node01.wait_until(f"ip route show {block} | grep tunl0")
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(f"{page} 172.16.140.80:8080")
found = node01.run("ip route get 172.16.140.80 | head -n 1")
# --8<-- [end:proof]
assert here.lines == back.lines == ["200"]
assert there.lines == ["000"]
assert "via 192.168.56.1 dev eth0" in way.stdout
assert "via 192.168.56.12 dev tunl0" in found.stdout
key = str
assert sorted(node01.routes(), key=key) == sorted(before, key=key)
