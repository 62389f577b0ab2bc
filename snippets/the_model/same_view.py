"""Inside and outside, a pod goes by the same address."""

from lab import cluster

cluster.needs("two_containers")
duo = cluster.pod("duo")
# --8<-- [start:view]
own = "ip -4 -o addr show eth0 | awk '{print $4}'"
front = duo.run(own)
back = cluster.kubectl(f"exec duo -c back -- {own}")
hosts = duo.run("tail -n 1 /etc/hosts")

api = cluster.kubectl("get pod duo -o jsonpath={.status.podIP}")
guest = "172.16.140.121:8080"
peer = duo.run(f"curl -s {guest}/clientip | cut -d: -f1")
# --8<-- [end:view]
address = "172.16.196.181"
assert front.lines == back.lines == [f"{address}/32"]
assert hosts.stdout.split() == [address, "duo"]
assert api.lines == peer.lines == [address]
