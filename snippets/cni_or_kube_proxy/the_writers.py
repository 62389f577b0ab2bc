"""The programs that write, and what each has written."""

from lab import cluster

cluster.needs("web")
node01 = cluster.node("node01")
# --8<-- [start:programs]
columns = "PODS:.metadata.ownerReferences[0].name"
here = "--field-selector spec.nodeName=node01"
get = f"get pods -n kube-system {here}"
cluster.kubectl(f"{get} \\\n  -o custom-columns={columns}")
run = node01.run("ps -o args= -C kube-proxy,bird,calico-node | sort")
node01.run("pgrep -x 'calico|calico-ipam'", status=1)
# --8<-- [end:programs]
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
