"""A rule about what a pod may send is kept on that pod's own node."""

from lab import cluster

cluster.needs("policy_pods")
cluster.alone("makes a policy")
node02 = cluster.node("node02")
friend, stranger = cluster.pod("friend"), cluster.pod("stranger")
# --8<-- [start:apply]
policy = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: silence}
spec:
  podSelector: {matchLabels: {app: stranger}}
  policyTypes: [Egress]
"""
cluster.kubectl(f"apply -f - <<'END'\n{policy}END")
# --8<-- [end:apply]
try:
    node02.wait_until("iptables -S | grep -q 'cali-fw.*cali-po-'")
    # --8<-- [start:ask]
    chain = "iptables -S cali-fw-cali16af131c250 | grep -A 3 cali-po-"
    rules = node02.run(chain)
    dump = "tcpdump -n -i tunl0 host 172.16.140.76"
    up = "listening on"
    with node02.background(dump, ready=up, stop=True) as left:
        stranger.run("ping -q -c 1 -W 1 172.16.196.155", status=1)
    dig = stranger.run("dig +time=1 +tries=1 server", status=9)
    friend.run("/agnhost connect --timeout=2s 172.16.140.76:8080")
    # --8<-- [end:ask]
finally:
    cluster.nodes[0].quiet("kubectl delete networkpolicy silence")
    node02.wait_until("! iptables -S | grep -q cali-po-")
assert left.result.lines == []
assert "no servers could be reached" in dig.stdout
assert rules.lines[2].endswith("-j DROP")
