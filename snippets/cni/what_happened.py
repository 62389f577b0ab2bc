"""A witness in the place of each plugin notes how it is called."""

from lab import cluster

cluster.alone("puts a witness in the place of node01's plugins")
node01, control = cluster.node("node01"), cluster.node("controlplane")
# --8<-- [start:witness]
witness = r"""#!/bin/sh
me=${0##*/} ns=${CNI_NETNS##*/} conf=$(cat)
case $CNI_NETNS$CNI_ARGS in /*=fresh*)
  got=$(printf %s "$conf" | jq -r .prevResult.ips[0].address)
  has=$(ip -n $ns -br link | grep -Eo "^(lo|eth0)" | xargs)
  n=$(ip netns pids $ns | wc -l)
  dev=$(ip route show 172.16.196.151 | cut -d " " -f 3)
  echo "$CNI_COMMAND $me: told $got; $has; $n processes; $dev"
esac >> /opt/cni/bin/seen
printf %s "$conf" | /opt/cni/real/$me"""
fix = """cni.projectcalico.org/ipAddrs=["172.16.196.151"]' \\
  --overrides '{"spec": {"nodeName": "node01"}}"""
pod = "fresh --image registry.k8s.io/e2e-test-images/agnhost:2.66.1"
each = "for x in calico portmap bandwidth"
try:
    node01.run("cd /opt/cni; mv bin real; cp -rl real bin")
    node01.quiet(f"echo '{witness}' > /opt/cni/bin/witness")
    node01.run(f"cd /opt/cni/bin; {each}; do install witness $x; done")
    cluster.kubectl(f"run {pod} \\\n  --annotations '{fix}'")
    cluster.kubectl("wait pod fresh --for condition=Ready")
    cluster.kubectl("delete pod fresh --now")
    seen = node01.run("cat /opt/cni/bin/seen")
    # --8<-- [end:witness]
finally:
    control.quiet("kubectl delete pod fresh --now --ignore-not-found")
    node01.quiet("cd /opt/cni; [ -d real ] && rm -r bin; mv real bin")
names = "calico", "portmap", "bandwidth"
dev = "lo eth0; 0 processes; calid19ee47d9ab"
want = ["ADD calico: told null; lo; 0 processes;"]
want += [f"ADD {x}: told 172.16.196.151/32; {dev}" for x in names[1:]]
want += [f"DEL {x}: told null; {dev}" for x in reversed(names)]
assert seen.lines == want
