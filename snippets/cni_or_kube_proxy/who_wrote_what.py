"""A pod's address is in routes, a Service's in rules."""

from lab import cluster

cluster.needs("web")
node01, client = cluster.node("node01"), cluster.pod("client")
pod, service = "172.16.196.170", "10.96.0.80"
# --8<-- [start:pod]
way = node01.run(f"ip route show table all | grep {pod}")
node01.run(f"iptables-save | grep -F {pod}", status=1)
# --8<-- [end:pod]
assert client.address == pod
assert way.lines[0].startswith(f"{pod} dev cali")
assert len(way.lines) == 1
# --8<-- [start:service]
node01.run(f"ip route show table all | grep {service}", status=1)
rules = node01.run(f"iptables-save | grep -oF -- '-d {service}/32'")
# --8<-- [end:service]
assert len(rules.lines) == 2
# --8<-- [start:config]
node01.run("grep -rlE '10[.]96|KUBE-' /etc/cni/net.d", status=1)
node01.run("grep -l KUBE-SVC- /opt/cni/bin/*", status=1)
exe = "/proc/$(pgrep -x kube-proxy)/exe"
node01.run(f"grep -ao KUBE-SVC- {exe} | sort -u")
# --8<-- [end:config]
