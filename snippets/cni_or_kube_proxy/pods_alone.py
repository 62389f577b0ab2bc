"""A new pod needs neither kube-proxy nor BIRD."""

from lab import cluster

cluster.needs("web")
cluster.alone("stops kube-proxy and BIRD, and makes a pod")
node01, control = cluster.node("node01"), cluster.node("controlplane")
client, web1 = cluster.pod("client"), cluster.pod("web-1")
stopped = "$(pgrep -x 'kube-proxy|bird')"
cali = "calib1ea7f05b3a"
image = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
fix = 'cni.projectcalico.org/ipAddrs=["172.16.196.149"]'
there = '{"spec":{"nodeName":"node01"}}'
options = f"--annotations '{fix}' \\\n  --overrides '{there}'"
ping = "ping -c 1 -W 2 172.16.196.149 | grep received"
try:
    # --8<-- [start:new]
    node01.run(f"kill -STOP {stopped}")
    cluster.kubectl(f"run late --image {image} \\\n  {options}")
    cluster.kubectl("wait pod late --for condition=Ready")
    node01.wait_until(f"iptables-save | grep {cali}")
    near = client.run(ping)
    far = web1.run(ping)
    # --8<-- [end:new]
finally:
    node01.quiet(f"kill -CONT {stopped}")
    control.quiet("kubectl delete pod late --now")
    node01.wait_until(f"! ip link show {cali}")
assert " 1 received" in near.stdout and " 1 received" in far.stdout
