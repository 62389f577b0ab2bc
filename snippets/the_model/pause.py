"""A container ends and the network stays; without pause it goes."""

from lab import cluster

cluster.needs("two_containers")
cluster.alone("ends processes of a pod")
node01, control = cluster.node("node01"), cluster.node("controlplane")
counts = "{.status.containerStatuses[*].restartCount}"
state = f"kubectl get pod duo -o jsonpath='{counts}'"
# --8<-- [start:container]
back = "$(pgrep -x httpd)"
net = f"readlink /proc/{back}/ns/net"
before = node01.run(net)
node01.run(f"kill -9 {back}")
# --8<-- [end:container]
control.wait_until(f"{state} | grep -x '1 0'")
node01.wait_until("pgrep -x httpd")
# --8<-- [start:pause]
again = node01.run(net)
node01.run(f"kill -9 $(lsns -n -o PID -t net -p {back})")
# --8<-- [end:pause]
control.wait_until(f"{state} | grep -x '2 1'", timeout=40)
control.quiet("kubectl wait --for condition=Ready pod/duo")
# --8<-- [start:after]
after = node01.run(net)
columns = "NAME:.metadata.name,IP:.status.podIP"
pod = cluster.kubectl(f"get pod duo -o custom-columns={columns}")
# --8<-- [end:after]
assert before.stdout == again.stdout != after.stdout
assert pod.lines[1].split() == ["duo", "172.16.196.181"]
