"""The programs that write, and what each has written."""

from lab import cluster

cluster.needs("web")
cluster.alone("shows all routes of a node")
node01 = cluster.node("node01")
# --8<-- [start:programs]
columns = "NAME:.metadata.name,PODS:.status.desiredNumberScheduled"
sets = f"get daemonsets -n kube-system -o custom-columns={columns}"
cluster.kubectl(sets)
run = node01.run("ps -o args= -C kube-proxy,bird,calico-node | sort")
# --8<-- [end:programs]
node01.wait_until("! pgrep -x 'calico|calico-ipam'")
assert "calico-node -felix" in run.lines
assert [x for x in run.lines if x.startswith("bird ")]
assert [x for x in run.lines if "/kube-proxy " in x]
# --8<-- [start:written]
routes = node01.run("ip route | grep -v eth0")
save = "iptables-save | grep -oE '^:(KUBE|cali)' | sort -u"
chains = node01.run(save)
# --8<-- [end:written]
assert chains.lines == [":KUBE", ":cali"]
for line in routes.lines:
    assert line.endswith("scope link") or "proto bird" in line

path = "/apis/apps/v1/namespaces/kube-system/daemonsets"
proxy = cluster.read(f"{path}/kube-proxy")
calico = cluster.read(f"{path}/calico-node")
assert "livenessProbe" not in str(proxy["spec"])
main = calico["spec"]["template"]["spec"]["containers"][0]
probe = main["livenessProbe"]
assert (probe["periodSeconds"], probe["failureThreshold"]) == (60, 3)
