"""A policy that denies looks like a lost packet, but is counted."""

from lab import cluster

cluster.needs("web")
cluster.alone("makes a NetworkPolicy")
node02, client = cluster.node("node02"), cluster.pod("client")
control = cluster.node("controlplane")
policy = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody-in, namespace: default}
spec:
  podSelector: {matchLabels: {part: solo}}
  policyTypes: [Ingress]
"""
find = "ip route get 172.16.140.80 | grep -o 'cali[0-9a-f]*'"
chain = f"cali-tw-{node02.quiet(find).stdout.strip()}"
drop = f"iptables -nvxL {chain} | grep DROP.*policies"
page = "curl -s -m 1 -o /dev/null -w '%{http_code}\\n'"
url = "172.16.140.80:8080"
try:
    control.quiet(f"kubectl apply -f - <<'END'\n{policy}END")
    node02.wait_until(f"iptables -S {chain} | grep 'no policies'")
    # --8<-- [start:denied]
    lost = client.run(f"{page} {url}", status=28)
    own = node02.run(f"{page} {url}")
    counted = node02.run(f"{drop} | awk '{{print ($1 > 0), $3}}'")
    which = cluster.kubectl("get networkpolicy")
    # --8<-- [end:denied]
finally:
    # --8<-- [start:repair]
    cluster.kubectl("delete networkpolicy nobody-in")
    node02.wait_until(f"! iptables -S {chain} | grep 'no policies'")
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(f"{page} {url}")
# --8<-- [end:proof]
assert lost.lines == ["000"] and own.lines == back.lines == ["200"]
assert counted.lines == ["1 DROP"] and "nobody-in" in which.stdout
