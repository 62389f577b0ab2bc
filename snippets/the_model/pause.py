"""A container ends and the network stays; without pause it goes."""

import json

from lab import cluster

cluster.alone("makes pods, and ends processes of them")
node01, control = cluster.node("node01"), cluster.node("controlplane")
image = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
path = "{..podIP} {..restartCount} {..ready}"


def address(name: str, restarts: int) -> str:
    ask = f"kubectl get pod {name} -o jsonpath='{path}'"
    done = control.wait_until(f"{ask} | grep '{restarts} true'")
    return done.stdout.split()[0]


try:
    # --8<-- [start:kill]
    spec = {"nodeName": "node01", "terminationGracePeriodSeconds": 0}
    at = f"--overrides '{json.dumps({'spec': spec})}'"
    for name, port in (("left", 81), ("right", 82)):
        make = f"run {name} --image {image} \\\n  {at} \\\n  --command"
        cluster.kubectl(f"{make} -- busybox httpd -f -p {port}")
    before = address("left", 0), address("right", 0)
    left, right = (f"$(pgrep -f '^busybox.*{p}$')" for p in (81, 82))
    for pid in (left, right):
        node01.run(f"nsenter -t {pid} -n ip link set eth0 alias mark")
    node01.run(f"kill -9 {left}")
    node01.run(f"kill -9 $(lsns -n -o PID -t net -p {right})")
    # --8<-- [end:kill]
    assert address("left", 1) == before[0]
    assert address("right", 1) != before[1]
    # --8<-- [start:look]
    cluster.pod("left").run("ip link show eth0 | grep alias")
    cluster.pod("right").run("ip link show eth0 | grep alias", status=1)
    # --8<-- [end:look]
finally:
    control.quiet("kubectl delete pod left right --now")
