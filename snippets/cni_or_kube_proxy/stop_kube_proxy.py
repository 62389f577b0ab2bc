"""kube-proxy stands still: what works goes on, nothing new comes."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops a node's kube-proxy for some seconds")
node01, node02 = cluster.node("node01"), cluster.node("node02")
client = cluster.pod("client")
rules = "iptables -t nat -S KUBE-SERVICES | grep default/late"
fetch = "curl -s -m 2"
try:
    # --8<-- [start:old]
    node01.run("kill -STOP $(pgrep -x kube-proxy)")
    state = node01.run("ps -o stat,args -C kube-proxy | cut -c 1-40")
    pod = client.run(f"{fetch} http://172.16.140.80:8080/hostname")
    old = client.run(f"{fetch} http://10.96.0.81/hostname")
    # --8<-- [end:old]
    assert state.lines[1].startswith("T")
    assert pod.stdout == old.stdout == "web-1"
    # --8<-- [start:new]
    make = "expose pod web-1 --name late --cluster-ip 10.96.0.87"
    cluster.kubectl(f"{make} \\\n  --port 80 --target-port 8080")
    node02.wait_until(rules)
    there = node02.run(rules)
    here = node01.run(rules, status=1)
    new = client.run(f"{fetch} http://10.96.0.87/hostname", status=28)
    # --8<-- [end:new]
    assert len(there.lines) == 1 and not here.stdout + new.stdout
    # --8<-- [start:thaw]
    node01.run("kill -CONT $(pgrep -x kube-proxy)")
    node01.wait_until(rules)
    last = client.run(f"{fetch} http://10.96.0.87/hostname")
    # --8<-- [end:thaw]
    assert last.stdout == "web-1"
finally:
    node01.quiet("kill -CONT $(pgrep -x kube-proxy)")
    cluster.node("controlplane").quiet("kubectl delete service late")
    for node in cluster.nodes:
        node.wait_until(f"! {rules}")
