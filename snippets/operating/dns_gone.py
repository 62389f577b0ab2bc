"""Without DNS, names fail and addresses work."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops CoreDNS")
control, client = cluster.node("controlplane"), cluster.pod("client")
coredns = "$(pgrep -f '^[^ ]*coredns ')"
page = "curl -s -m 2 -o /dev/null -w '%{http_code}\\n'"
dig = "dig +tries=1 +time=1 +short web.default.svc.cluster.local"
try:
    # --8<-- [start:gone]
    control.run(f"kill -STOP {coredns}")
    name = client.run(f"{page} http://web/", status=28)
    address = client.run(f"{page} http://10.96.0.80/")
    asked = client.run(dig, status=9)
    get = "get deployment -n kube-system coredns"
    ready = cluster.kubectl(get)
    # --8<-- [end:gone]
finally:
    # --8<-- [start:repair]
    control.run(f"kill -CONT {coredns}")
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(f"{page} http://web/")
# --8<-- [end:proof]
assert name.lines == ["000"]
assert address.lines == back.lines == ["200"]
assert "10.96.0.10#53: timed out" in asked.stdout
assert "no servers could be reached" in asked.stdout
assert ready.lines[1].split()[1] == "1/1"
