"""No two pods have one address, but some have their node's."""

from lab import cluster

cluster.needs("two_containers")
cluster.alone("shows the addresses of all pods")
# --8<-- [start:count]
get = "get pods -A --field-selector spec.hostNetwork"
row = "{range .items[*]}{.status.podIP}{'\\n'}{end}"
list_ = f'-o jsonpath="{row}" | sort'
twice = cluster.kubectl(f"{get}=false \\\n  {list_} | uniq -d")
host = cluster.kubectl(f"{get}=true \\\n  {list_} | uniq -c")
# --8<-- [end:count]
nodes = [node.address for node in cluster.nodes]
assert [line.split()[1] for line in host.lines] == nodes
assert twice.stdout == ""

pods = cluster.core.list_pod_for_all_namespaces().items
own = [p.status.pod_ip for p in pods if not p.spec.host_network]
assert len(own) == len(set(own)) >= 4
assert not set(own) & set(nodes)
