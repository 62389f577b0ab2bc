"""Who is behind a Service stands in its EndpointSlices."""

from lab import cluster

cluster.needs("web")
node01, control = cluster.node("node01"), cluster.node("controlplane")
chain = "iptables -t nat -S KUBE-SVC-LOLE4ISW44XBNF3G"
# --8<-- [start:slices]
each = "{range .items[*].endpoints[*]}"
row = "{.targetRef.name} {.addresses[0]} {.nodeName}{'\\n'}{end}"
get = "get endpointslices -l kubernetes.io/service-name=web"
slices = f'{get} \\\n  -o jsonpath="{each}{row}" | sort'
three = cluster.kubectl(slices)
old = cluster.kubectl("get endpoints web")
# --8<-- [end:slices]
try:
    # --8<-- [start:label]
    cluster.kubectl("label pod web-2 app-")
    node01.wait_until(f"{chain} | grep -c -- '->' | grep 2")
    two = cluster.kubectl(slices)
    rules = node01.run(f"{chain} | grep -o '172.16.1[49].*'")
    # --8<-- [end:label]
finally:
    control.quiet("kubectl label pod web-2 app=web")
    node01.wait_until(f"{chain} | grep -c -- '->' | grep 3")
assert [line.split()[0] for line in three.lines] == [
    "web-0",
    "web-1",
    "web-2",
]
assert two.lines == three.lines[:2] and len(rules.lines) == 2
assert "--probability 0.50000000000" in rules.lines[0]
assert "Endpoints is deprecated" in old.stderr
