"""Services need none of Calico's parts, neither old ones nor new."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops Felix and BIRD, takes the plugin away")
node01, client = cluster.node("node01"), cluster.pod("client")
plugin = "/opt/cni/bin/calico"
felix, bird = "$(pgrep -f '^calico-node -felix')", "$(pgrep -x bird)"
rules = "iptables -t nat -S KUBE-SERVICES | grep default/late"
fetch = "curl -s -m 2"
try:
    # --8<-- [start:all]
    node01.run(f"kill -STOP {felix} {bird}")
    node01.run(f"mv {plugin} {plugin}.away")
    old = client.run(f"{fetch} http://10.96.0.81/hostname")
    make = "expose pod web-1 --name late --cluster-ip 10.96.0.87"
    cluster.kubectl(f"{make} \\\n  --port 80 --target-port 8080")
    node01.wait_until(rules)
    node01.run(rules)
    new = client.run(f"{fetch} http://10.96.0.87/hostname")
    # --8<-- [end:all]
finally:
    node01.quiet(f"kill -CONT {felix} {bird}")
    node01.quiet(f"[ -e {plugin} ] || mv {plugin}.away {plugin}")
    cluster.node("controlplane").quiet("kubectl delete service late")
    for node in cluster.nodes:
        node.wait_until(f"! {rules}")
assert old.stdout == new.stdout == "web-1"
