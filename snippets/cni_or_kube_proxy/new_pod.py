"""Felix stands still: a new pod has its network, and no way through."""

from lab import cluster

cluster.needs("pods")
cluster.alone("stops a node's Felix, and makes a pod")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
felix = "$(pgrep -f '^calico-node -felix')"
cali = "calib1ea7f05b3a"
drops = "iptables -vnxL cali-to-wl-dispatch | awk '/Unk/ {print $1}'"
ping = "ping -c 1 -W 2 172.16.196.149 | grep received"
image = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
fix = 'cni.projectcalico.org/ipAddrs=["172.16.196.149"]'
there = '{"spec":{"nodeName":"node01"}}'
options = f"--annotations '{fix}' \\\n  --overrides '{there}'"
dropped = node01.quiet(drops)
try:
    # --8<-- [start:new]
    node01.run(f"kill -STOP {felix}")
    cluster.kubectl(f"run late --image {image} \\\n  {options}")
    cluster.kubectl("wait pod late --for condition=Ready")
    node01.run("ip route | grep 172.16.196.149")
    lost = pod2.run(ping)
    # --8<-- [end:new]
    assert int(node01.quiet(drops).stdout) > int(dropped.stdout)
    # --8<-- [start:why]
    node01.run(f"iptables-save -t filter | grep {cali}", status=1)
    why = node01.run("iptables -S cali-to-wl-dispatch")
    # --8<-- [end:why]
    # --8<-- [start:thaw]
    node01.run(f"kill -CONT {felix}")
    node01.wait_until(f"iptables-save | grep {cali}")
    found = pod2.run(ping)
    # --8<-- [end:thaw]
finally:
    node01.quiet(f"kill -CONT {felix}")
    cluster.node("controlplane").quiet("kubectl delete pod late --now")
    node01.wait_until(f"! ip link show {cali}")
assert " 0 received" in lost.stdout and " 1 received" in found.stdout
assert why.lines[-1].endswith('"Unknown interface" -j DROP')
