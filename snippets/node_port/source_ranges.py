"""A Service can say from where its outer address may be asked."""

from lab import cluster

cluster.needs("node_port")
cluster.alone("gives a Service an outer address and source ranges")
control, node01, _ = cluster.nodes
client = cluster.pod("client")
patch = "kubectl patch service lb --type=merge -p"
clear = '{"spec":{"loadBalancerSourceRanges":null}}'
fw = "iptables -t nat -S | grep -- '-A KUBE-FW'"
drop = "iptables -S KUBE-PROXY-FIREWALL | grep DROP"
ask = "curl -s -m 2 -o /dev/null -w '%{http_code}\\n' 192.0.2.10"


def give(ingress: str) -> None:
    """Write the address that a load balancer would write."""
    status = f'{{"status":{{"loadBalancer":{{"ingress":{ingress}}}}}}}'
    control.quiet(f"{patch} '{status}' --subresource=status")


try:
    give('[{"ip":"192.0.2.10"}]')
    # --8<-- [start:ranges]
    ranges = clear.replace("null", '["172.16.140.64/26"]')
    control.run(f"{patch} '{ranges}'")
    node01.wait_until(fw)
    chain = node01.run(fw)
    rule = node01.run(drop)
    no = client.run(ask, status=28)
    yes = cluster.pod("web-1").run(ask)
    # --8<-- [end:ranges]
finally:
    control.quiet(f"{patch} '{clear}'")
    give("null")
    node01.wait_until(f"! {fw} && ! {drop}")
assert "-s 172.16.140.64/26" in chain.lines[0]
assert chain.lines[0].split()[-1].startswith("KUBE-EXT-")
assert "192.0.2.10" in rule.stdout and no.lines == ["000"]
assert yes.lines == ["200"]
