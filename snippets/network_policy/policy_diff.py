"""What a new policy changes in the filter table of each node."""

from lab import cluster

cluster.needs("policy_pods")
cluster.alone("makes a policy, and shows all rules of a node")
node01 = cluster.node("node01")
# --8<-- [start:before]
policy = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-friend}
spec:
  podSelector: {matchLabels: {app: server}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: friend}}}]
    ports: [{port: 8080}]
"""
save = r"""iptables -S | sed 's/-m comment --comment "cali:[^"]*" //'"""
for node in cluster.nodes:
    node.quiet(f"{save} > /tmp/before")
cluster.kubectl(f"apply -f - <<'END'\n{policy}END")
# --8<-- [end:before]
try:
    node01.wait_until("iptables -S | grep -q 'cali-tw.*cali-pi-'")
    # --8<-- [start:after]
    diff = f"{save} | diff /tmp/before - | grep '[<>]'"
    changed = node01.run(diff)
    for node in cluster.nodes[::2]:
        node.run(diff, status=1)
    # --8<-- [end:after]
finally:
    cluster.nodes[0].quiet("kubectl delete networkpolicy only-friend")
    node01.wait_until("! iptables -S | grep -q cali-pi-")
    for node in cluster.nodes:
        node.quiet("rm /tmp/before")
assert {line[0] for line in changed.lines} == {">"}
kinds = [line.split()[1] for line in changed.lines]
assert (kinds.count("-N"), kinds.count("-A")) == (1, 4)
