"""Two containers of a pod want one port, and the second one crashes."""

from lab import cluster

cluster.limit(120)
control = cluster.node("controlplane")
# --8<-- [start:pod]
image = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"
serve = f"image: {image}, args: [netexec, --udp-port=-1]"
# The second one is started when the first one listens.
hook = "until nc -z localhost 8080; do sleep 0.1; done"
pod = f"""apiVersion: v1
kind: Pod
metadata:
  name: clash
  annotations: {{cni.projectcalico.org/ipAddrs: '["172.16.196.182"]'}}
spec:
  nodeName: node01
  containers:
  - {{name: first, {serve},
     lifecycle: {{postStart: {{exec: {{command: [sh, -c, {hook}]}}}}}}}}
  - {{name: second, {serve}}}"""
# --8<-- [end:pod]
try:
    control.quiet(f"kubectl apply -f - << END\n{pod}\nEND")
    # --8<-- [start:crash]
    reason = "{.status.containerStatuses[1].state.waiting.reason}"
    loop = f"--for jsonpath={reason}=CrashLoopBackOff"
    limit = "--timeout 60s"
    cluster.kubectl(f"wait pod clash {limit} \\\n  {loop}", timeout=65)
    said = "logs clash -c second | grep -o 'listen tcp.*'"
    why = cluster.kubectl(said)
    curl = "curl -s -w '\\n' http://172.16.196.182:8080/hostname"
    first = control.run(curl)
    # --8<-- [end:crash]
finally:
    control.quiet("kubectl delete pod clash --now")
assert "bind: address already in use" in why.stdout
assert first.lines == ["clash"]
