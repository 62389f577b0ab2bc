"""A Service that no pod belongs to is refused at once."""

from lab import cluster

cluster.needs("web")
node01, client = cluster.node("node01"), cluster.pod("client")
rules = "iptables -t filter -S KUBE-SERVICES | grep default/nobody"
# --8<-- [start:refused]
to = "/agnhost connect --timeout=5s 10.96.0.82:80"
refused = client.run(to, status=1)
node01.run("iptables -t nat -S | grep default/nobody", status=1)
rule = node01.run(rules)
# --8<-- [end:refused]
assert refused.stderr.strip() == "REFUSED"
assert refused.seconds < 5
assert len(rule.lines) == 1
assert "-d 10.96.0.82/32 -p tcp" in rule.stdout
assert "-j REJECT" in rule.stdout
