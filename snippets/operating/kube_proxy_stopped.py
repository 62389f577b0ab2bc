"""When kube-proxy stands still, Services there stay as they were."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops kube-proxy on node01, moves a Service")
node01, control = cluster.node("node01"), cluster.node("controlplane")
client = cluster.pod("client")
proxy = "$(pgrep -f '^[^ ]*kube-proxy ')"
chain = "iptables -t nat -S KUBE-SVC-XVJHHMIFZ6BOUBWS"
ends = f"{chain} | grep -o -- '-> [0-9.:]*'"
ask = "curl -s -m 2 http://10.96.0.81/hostname; echo"
health = "curl -s -m 2 -o /dev/null -w '%{http_code}\\n'"
healthz = f"{health} localhost:10256/healthz"
try:
    # --8<-- [start:stop]
    node01.run(f"kill -STOP {proxy}")
    old = client.run(ask)
    cluster.kubectl("label pod web-1 part-")
    cluster.kubectl("label pod web-2 part=solo")
    control.wait_until(f"{chain} | grep 172.16.140.81")

    stale = client.run(ask)
    wrong, right = node01.run(ends), control.run(ends)
    dead = node01.run(healthz, status=28)
    # --8<-- [end:stop]
finally:
    # --8<-- [start:repair]
    node01.run(f"kill -CONT {proxy}")
    node01.wait_until(f"{chain} | grep 172.16.140.81")
    new = client.run(ask)
    # --8<-- [end:repair]
    label = "kubectl label pod --overwrite"
    control.quiet(f"{label} web-1 part=solo; {label} web-2 part-")
    for node in cluster.nodes:
        node.wait_until(f"{chain} | grep 172.16.140.80")
assert old.lines == stale.lines == ["web-1"] and new.lines == ["web-2"]
assert wrong.lines == ["-> 172.16.140.80:8080"]
assert right.lines == ["-> 172.16.140.81:8080"]
assert dead.lines == ["000"]
