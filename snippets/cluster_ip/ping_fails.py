"""Rules for TCP port 80 do nothing for a ping."""

from lab import cluster

cluster.needs("web")
node01, client = cluster.node("node01"), cluster.pod("client")
# --8<-- [start:ping]
dump = "tcpdump -n -t -c 1 -i eth0 dst 10.96.0.80"
with node01.background(dump, ready="listening on") as seen:
    ping = client.run("ping -c 1 -W 1 10.96.0.80", status=1)
# --8<-- [end:ping]
assert "100% packet loss" in ping.stdout
assert "nreachable" not in ping.stdout
assert "192.168.56.11 > 10.96.0.80: ICMP" in seen.result.stdout
# --8<-- [start:rule]
rule = node01.run("iptables -t nat -S KUBE-SERVICES | grep web")
to = "/agnhost connect --timeout=1s 10.96.0.80"
client.run(f"{to}:80")
wrong = client.run(f"{to}:81", status=1)
# --8<-- [end:rule]
assert len(rule.lines) == 1
assert "-p tcp" in rule.stdout and "--dport 80 " in rule.stdout
assert "TIMEOUT" in wrong.stderr
