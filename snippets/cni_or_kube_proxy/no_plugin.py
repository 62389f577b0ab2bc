"""Without the plugin no new pod starts; the others do not notice."""

from lab import cluster

cluster.needs("pods")
cluster.limit(120)
cluster.alone("takes a node's CNI plugin away, and makes a pod")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
plugin = "/opt/cni/bin/calico"
there = '{"spec":{"nodeName":"node01"}}'
control = cluster.node("controlplane")
image = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
state = "ContainerCreating"  # the kubelet says so after the event
events = "kubectl get events --field-selector involvedObject.name=never"
try:
    # --8<-- [start:gone]
    node01.run(f"mv {plugin} {plugin}.away")
    make = f"run never --image {image}"
    cluster.kubectl(f"{make} \\\n  --overrides '{there}'")
    control.wait_until(f"{events} | grep FailedCreate")
    control.wait_until(f"kubectl get pod never | grep {state}")
    cluster.kubectl("get pod never")
    find = "grep -o 'failed to find.*' | sort -u"
    why = control.run(f"{events} | {find}")
    ping = pod2.run("ping -c 1 172.16.140.70 | grep received")
    # --8<-- [end:gone]
    # --8<-- [start:back]
    node01.run(f"mv {plugin}.away {plugin}")
    wait = "wait pod never --for condition=Ready --timeout 50s"
    cluster.kubectl(wait, timeout=55)
    # --8<-- [end:back]
finally:
    node01.quiet(f"[ -e {plugin} ] || mv {plugin}.away {plugin}")
    control.quiet("kubectl delete pod never --now")
    control.quiet(events.replace("get", "delete"))
assert 'failed to find plugin "calico"' in why.stdout
assert " 1 received" in ping.stdout
