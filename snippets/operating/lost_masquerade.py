"""Without the masquerade rule, a pod's packets leave unchanged."""

from lab import cluster

cluster.needs("web")
cluster.alone("takes away a rule of Calico's on node01")
node01, client = cluster.node("node01"), cluster.pod("client")
felix = "$(pgrep -f '^calico-node -felix')"
chain = "iptables -t nat -S cali-nat-outgoing"
out = "ping -c 1 -W 1 -q 192.168.56.1 | grep received"
flows = "conntrack -L -p icmp -s 172.16.196.170 2>/dev/null"
page = "curl -s -m 5 -o /dev/null -w '%{http_code}\\n'"
before = node01.quiet(chain)
node01.quiet("conntrack -D -p icmp -s 172.16.196.170 || true")
try:
    # --8<-- [start:lost]
    node01.run(f"kill -STOP {felix}")
    node01.run("iptables -t nat -F cali-nat-outgoing")
    lost = client.run(out)
    flow = node01.run(f"{flows} | sed 's/ mark.*//'")
    service = client.run(f"{page} http://10.96.0.81/")
    other_node = client.run(f"{page} -k https://10.96.0.1/livez")
    rules = node01.run(chain)
    # --8<-- [end:lost]
finally:
    # --8<-- [start:repair]
    node01.run(f"kill -KILL {felix}")
    node01.wait_until(f"{chain} | grep MASQUERADE")
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(out)
# --8<-- [end:proof]
assert " 0 received" in lost.stdout and " 1 received" in back.stdout
assert len(flow.lines) == 1 and "[UNREPLIED]" in flow.stdout
assert "src=192.168.56.1 dst=172.16.196.170" in flow.stdout
assert service.lines == other_node.lines == ["200"]
assert rules.lines == ["-N cali-nat-outgoing"]
assert node01.quiet(chain).lines == before.lines
