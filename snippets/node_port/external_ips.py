"""An external address is one more rule, whoever it belongs to."""

from lab import cluster

cluster.needs("node_port")
control, node01, _ = cluster.nodes
rules = "iptables -t nat -S KUBE-SERVICES | grep 192.0.2.20"
try:
    # --8<-- [start:given]
    spec = '{"spec":{"externalIPs":["192.0.2.20"]}}'
    cluster.kubectl(f"patch service web -p '{spec}'")
    node01.wait_until(rules)
    found = node01.run(rules)
    curl = "curl -s -o /dev/null -w '%{http_code}\\n'"
    client = cluster.pod("client")
    got = client.run(f"{curl} http://192.0.2.20/")
    # --8<-- [end:given]
finally:
    none = '{"spec":{"externalIPs":null}}'
    control.quiet(f"kubectl patch service web -p '{none}'")
    for node in cluster.nodes:
        node.wait_until(f"! {rules}")
assert got.lines == ["200"]
assert "default/web external IP" in found.stdout
assert found.lines[0].endswith("-j KUBE-EXT-LOLE4ISW44XBNF3G")
