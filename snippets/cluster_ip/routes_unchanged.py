"""A new Service changes no route, on no node."""

from lab import cluster

cluster.needs("web_pods")
cluster.alone("makes a Service, and shows all routes of a node")
control = cluster.node("controlplane")
rules = "iptables -t nat -S | grep -c 'default/web.*DNAT'"


def routes() -> list:
    return [(n.routes(), n.routes("local")) for n in cluster.nodes]


before = routes()
# --8<-- [start:before]
control.run("ip route show table all > /tmp/before")
make = "expose pod web-0 --name web --selector app=web"
ports = "--port 80 --target-port 8080 --cluster-ip 10.96.0.80"
cluster.kubectl(f"{make} \\\n  {ports}")
# --8<-- [end:before]
try:
    for node in cluster.nodes:
        node.wait_until(f"{rules} | grep 3")
    # --8<-- [start:after]
    control.run("ip route show table all | diff /tmp/before -")
    # --8<-- [end:after]
    assert before == routes() and all(before[0])
finally:
    control.quiet("rm /tmp/before; kubectl delete service web")
    for node in cluster.nodes:
        node.wait_until(f"! {rules}")
