"""With the policy Local, a node without a pod drops the packets."""

from lab import cluster

cluster.needs("node_port")
control, node01, _ = cluster.nodes
rules = "iptables -t filter -S KUBE-EXTERNAL-SERVICES | grep local"
# --8<-- [start:silence]
other = node01.run("nc -v -z -w 2 192.168.56.10 30084", status=1)
rule = control.run(rules)
curl = "curl -s -o /dev/null -w '%{http_code}\\n'"
itself = control.run(f"{curl} http://192.168.56.10:30084/")
# --8<-- [end:silence]
assert "timed out" in other.stderr
assert len(rule.lines) == 1 and rule.lines[0].endswith("-j DROP")
assert "default/local has no local endpoints" in rule.stdout
assert itself.lines == ["200"]

for node in cluster.nodes:
    chains = node.quiet("iptables-save | grep ^:").stdout
    assert "KUBE-EXT-" in chains
    assert "KUBE-MARK-DROP" not in chains
    assert "KUBE-XLB-" not in chains
    wall = node.quiet("iptables -t filter -S KUBE-FIREWALL").lines
    assert len(wall) == 2 and "-d 127.0.0.0/8" in wall[1]
