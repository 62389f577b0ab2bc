"""The port is reserved in the API, and on no node."""

from lab import cluster

cluster.needs("node_port")
node01 = cluster.node("node01")
control = cluster.node("controlplane")
# --8<-- [start:nobody]
listeners = "ss -Htln | grep :30080"
for node in cluster.nodes:
    node.run(listeners, status=1)

curl = "curl -s -o /dev/null -w '%{http_code}\\n'"
got = control.run(f"{curl} http://192.168.56.11:30080/")
# --8<-- [end:nobody]
# --8<-- [start:thief]
node_port = "create service nodeport thief --tcp=80 --node-port=30080"
taken = cluster.kubectl(node_port, status=1)
with node01.background("nc -l 30080", stop=True, status=130) as nc:
    node01.wait_until(listeners)
    again = control.run(f"{curl} http://192.168.56.11:30080/")
# --8<-- [end:thief]
assert got.lines == again.lines == ["200"]
assert "provided port is already allocated" in taken.stderr
assert nc.result.stdout == ""
service = cluster.core.read_namespaced_service("web", "default")
assert service.spec.ports[0].node_port == 30080
