"""When BIRD ends on a node, the others forget the way to its pods."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops BIRD on node02")
node01, node02 = cluster.node("node01"), cluster.node("node02")
client = cluster.pod("client")
keeper = "$(pgrep -f '^runsv bird$')"
birdcl = "birdcl -s /run/calico/bird.ctl show protocols"
sessions = f"{birdcl} | grep BGP | awk '{{print $1, $4}}'"
routes = "ip route | grep 'tunl0 proto bird'"
page = "curl -s -m 1 -o /dev/null -w '%{http_code}\\n'"
try:
    # --8<-- [start:down]
    node02.run(f"kill -STOP {keeper}")
    node02.run("kill $(pgrep -f '^bird ')")
    node01.wait_until("! ip route | grep 172.16.140.64")

    lost = client.run(f"{page} 172.16.140.80:8080", status=28)
    down = node01.run(sessions)
    left = node01.run(routes)
    kept = node02.run(routes)
    # --8<-- [end:down]
finally:
    # --8<-- [start:repair]
    node02.run(f"kill -CONT {keeper}")
    for node in cluster.nodes:
        node.wait_until(f"{routes} | wc -l | grep 2")
        node.wait_until(f"! {sessions} | grep -v up", timeout=30)
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(f"{page} 172.16.140.80:8080")
up = node01.run(sessions)
# --8<-- [end:proof]
names = "Mesh_192_168_56_10", "Mesh_192_168_56_12"
assert up.lines == [f"{name} up" for name in names]
assert down.lines == [f"{names[0]} up", f"{names[1]} start"]
assert len(left.lines) == 1 and len(kept.lines) == 2
assert lost.lines == ["000"] and back.lines == ["200"]
