"""A policy for all pods allows nothing; another one adds to it."""

from lab import cluster

cluster.needs("policy")
cluster.alone("closes the namespace")
node01, node02 = cluster.node("node01"), cluster.node("node02")
friend, stranger = cluster.pod("friend"), cluster.pod("stranger")
node01.wait_until("iptables -S | grep -q 'cali-tw.*cali-pi-'")
# --8<-- [start:apply]
policy = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}}
"""
to = "/agnhost connect --timeout=2s"
friend.run(f"{to} 172.16.140.76:8080")
cluster.kubectl(f"apply -f - <<'END'\n{policy}END")
# --8<-- [end:apply]
try:
    node02.wait_until("iptables -S | grep -q 'cali-tw.*cali-pi-'")
    # --8<-- [start:ask]
    friend.run(f"{to} 172.16.140.76:8080", status=1)
    friend.run(f"{to} 172.16.196.155:8080")
    jumps = "-S cali-tw-cali7715d358f22 | grep -o 'cali-pi-.*'"
    both = node01.run(f"iptables {jumps}")
    for chain in both.lines:
        node01.run(f"iptables -S {chain} | grep -o 'Policy .*ss\"'")
    # --8<-- [end:ask]
finally:
    cluster.nodes[0].quiet("kubectl delete networkpolicy default-deny")
    node02.wait_until("! iptables -S | grep -q cali-pi-")
assert both.lines == [
    "cali-pi-_R3gvoG4sTTQrQ1d4clb",
    "cali-pi-_Ju4-1r2xf0fqNSMGqYU",
]
