"""A load balancer's address works once it is in the status."""

from lab import cluster

cluster.needs("node_port")
control, node01, _ = cluster.nodes
client = cluster.pod("client")
rules = "iptables -t nat -S KUBE-SERVICES | grep default/lb | sort"
patch = "patch service lb --subresource=status --type=merge -p"
# --8<-- [start:pending]
pending = cluster.kubectl("get service lb")
# --8<-- [end:pending]
assert "<pending>" in pending.stdout
try:
    # --8<-- [start:given]
    ingress = '[{"ip":"192.0.2.10"}]'
    status = f'{{"status":{{"loadBalancer":{{"ingress":{ingress}}}}}}}'
    cluster.kubectl(f"{patch} \\\n  '{status}'")
    cluster.kubectl("get service lb")
    node01.wait_until(f"{rules} | grep 192.0.2.10")
    found = node01.run(rules)
    curl = "curl -s -o /dev/null -w '%{http_code}\\n'"
    got = client.run(f"{curl} http://192.0.2.10/")
    # --8<-- [end:given]
    for node in cluster.nodes:
        chains = node.quiet("iptables-save | grep ^:").stdout
        assert "KUBE-SVC-" in chains and "KUBE-FW-" not in chains
        assert "KUBE-MARK-DROP" not in chains
finally:
    empty = '{"status":{"loadBalancer":{"ingress":null}}}'
    control.quiet(f"kubectl {patch} '{empty}'")
    node01.wait_until(f"! {rules} | grep 192.0.2.10")
assert got.lines == ["200"]
assert found.lines[1].split()[3] == "192.0.2.10/32"
assert "loadbalancer IP" in found.lines[1]
assert found.lines[1].split()[-1].startswith("KUBE-EXT-")
