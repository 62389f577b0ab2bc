"""What a started pod leaves on its node: a result and a log."""

import json

from lab import cluster

cluster.needs("pods")
node01 = cluster.node("node01")
# --8<-- [start:kept]
mine = 'select(any(.cniArgs[]; . == ["K8S_POD_NAME", "pod2"]))'
jq = f"jq -c '{mine} | .networkName, .ifName, .result'"
kept = node01.run(f"cat /var/lib/cni/results/*-eth0 | {jq}")
# --8<-- [end:kept]
# --8<-- [start:log]
words = "request IP: [0-9.]*|using IPs: .*/32|veth name to [^ ]*|Wrote"
log = "grep k8s-pod2-eth0 /var/log/calico/cni/cni.log"
steps = node01.run(f"{log} | grep -Eo '{words}' | tail -n 4")
# --8<-- [end:log]
assert kept.lines[:2] == ['"k8s-pod-network"', '"eth0"']
result = json.loads(kept.lines[2])
assert result["ips"][0]["address"] == "172.16.196.148/32"
assert result["interfaces"] == [{"name": "calibd2348b4f67"}]
assert steps.lines == [
    "request IP: 172.16.196.148",
    "using IPs: [172.16.196.148/32",
    "veth name to calibd2348b4f67",
    "Wrote",
]
