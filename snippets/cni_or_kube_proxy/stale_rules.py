"""Without kube-proxy, a node goes on with yesterday's pods."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops a node's kube-proxy, and takes a pod's label off")
node01, node02 = cluster.node("node01"), cluster.node("node02")
control = cluster.node("controlplane")
client, web2 = cluster.pod("client"), cluster.pod("web-2")
sep = "iptables -t nat -S | grep 'default/solo.*DNAT'"
fetch = "curl -s -m 2 http://10.96.0.81/hostname"
try:
    node01.quiet("kill -STOP $(pgrep -x kube-proxy)")
    # --8<-- [start:stale]
    cluster.kubectl("label pod web-1 part-")
    node02.wait_until(f"! {sep}")
    gone = web2.run(fetch, status=7)
    stale = client.run(fetch)
    # --8<-- [end:stale]
    assert gone.stdout == "" and stale.stdout == "web-1"
    # --8<-- [start:thaw]
    node01.run("kill -CONT $(pgrep -x kube-proxy)")
    node01.wait_until(f"! {sep}")
    client.run(fetch, status=7)
    # --8<-- [end:thaw]
finally:
    node01.quiet("kill -CONT $(pgrep -x kube-proxy)")
    control.quiet("kubectl label pod web-1 part=solo")
    for node in cluster.nodes:
        node.wait_until(sep)
