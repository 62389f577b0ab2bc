"""What a new Service changes in the nat table: eleven rules."""

from collections import Counter

from lab import cluster

cluster.needs("web_pods")
cluster.alone("makes a Service, and shows all rules of a node")
control = cluster.node("controlplane")
rules = "iptables -t nat -S | grep -c 'default/web.*DNAT'"
columns = "NAME:.metadata.name,IP:.status.podIP,NODE:.spec.nodeName"
# --8<-- [start:before]
cluster.kubectl(f"get pods -l app=web -o custom-columns={columns}")
control.run("iptables -t nat -S | sort > /tmp/before")
make = "expose pod web-0 --name web --selector app=web"
ports = "--port 80 --target-port 8080 --cluster-ip 10.96.0.80"
cluster.kubectl(f"{make} \\\n  {ports}")
# --8<-- [end:before]
try:
    control.wait_until(f"{rules} | grep 3")
    # --8<-- [start:after]
    cluster.kubectl("get service web")
    save = "iptables -t nat -S | sort"
    out = control.run(f"{save} | diff /tmp/before - | grep '[<>]'")
    # --8<-- [end:after]
finally:
    control.quiet("rm /tmp/before; kubectl delete service web")
    for node in cluster.nodes:
        node.wait_until(f"! {rules}")

words = [line.split() for line in out.lines]
assert {word[0] for word in words} == {">"}
kinds = Counter((w[1], w[2].rsplit("-", 1)[0]) for w in words)
assert kinds == {
    ("-A", "KUBE"): 1,  # KUBE-SERVICES
    ("-A", "KUBE-SVC"): 4,
    ("-A", "KUBE-SEP"): 6,
    ("-N", "KUBE-SVC"): 1,
    ("-N", "KUBE-SEP"): 3,
}
