"""Calico's list: three plugins, one after the other."""

import json

from lab import cluster

node01 = cluster.node("node01")
# --8<-- [start:list]
list_ = "/etc/cni/net.d/10-calico.conflist"
node01.run("ls /etc/cni/net.d")
head = node01.run(f"jq 'del(.plugins)' {list_}")
fields = "type, ipam, policy, mtu, snat, capabilities"
each = f".plugins[] | {{{fields}}} | del(..|nulls)"
rows = node01.run(f"jq -c '{each}' {list_}")
# --8<-- [end:list]
assert json.loads(head.stdout) == {
    "name": "k8s-pod-network",
    "cniVersion": "0.3.1",
}
plugins = [json.loads(row) for row in rows.lines]
kinds = [x["type"] for x in plugins]
assert kinds == ["calico", "portmap", "bandwidth"]
assert plugins[0]["ipam"] == {"type": "calico-ipam"}
