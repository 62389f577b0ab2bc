"""A witness in front of each plugin writes down how it is called."""

from lab import cluster

cluster.needs("pods")
cluster.alone("puts a program before the plugins of node01")
cluster.limit(120)
node01, control = cluster.node("node01"), cluster.nodes[0]
# --8<-- [start:witness]
witness = """#!/bin/sh
conf=$(cat) ns=${CNI_NETNS##*/} real=${0##*/see-}
has=$(ip -n $ns -br link | grep -Eo "^(lo|eth0)" | xargs)
n=$(ip netns pids $ns | wc -l)
got=$(printf %s "$conf" | jq -r ".prevResult.ips[0].address")
echo "$CNI_COMMAND $real: $has; $n processes; told $got" >> /run/seen
printf %s "$conf" | /opt/cni/bin/$real
"""
# --8<-- [end:witness]
try:
    node01.quiet(f"echo '{witness}' > /run/see; chmod +x /run/see")
    # --8<-- [start:start]
    each = "for x in calico portmap bandwidth"
    node01.run(f"{each}; do cp /run/see /opt/cni/bin/see-$x; done")
    see = """jq '.plugins[].type |= "see-" + .' 10-calico.conflist"""
    node01.run(f"cd /etc/cni/net.d; {see} > 05-see.conflist")

    again = "get pod pod2 -o json | kubectl replace --force -f -"
    cluster.kubectl(again)
    control.quiet("kubectl wait --for condition=Ready pod/pod2")
    seen = node01.run("grep lo /run/seen | awk '!old[$0]++'")
    # --8<-- [end:start]
finally:
    node01.quiet("rm -f /etc/cni/net.d/05-*; sleep 1")
    node01.quiet("rm /opt/cni/bin/see-* /run/see*")
calls = [line.split(":")[0] for line in seen.lines]
assert calls[:3] == ["DEL bandwidth", "DEL portmap", "DEL calico"]
assert calls[3:] == ["ADD calico", "ADD portmap", "ADD bandwidth"]
assert all("; 0 processes" in x for x in seen.lines[3:])
