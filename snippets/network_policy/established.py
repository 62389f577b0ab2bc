"""A connection that is there when the policy comes lives on."""

from lab import cluster

cluster.needs("policy_pods")
cluster.alone("makes a policy")
node01, stranger = cluster.node("node01"), cluster.pod("stranger")
# --8<-- [start:open]
get = "printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n'"
wait = "until [ -e /tmp/go ]; do sleep 0.2; done"
server = "172.16.196.155 8080"
ask = f"({wait}; {get}; sleep 1) | nc {server}"
policy = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody}
spec: {podSelector: {matchLabels: {app: server}}}
"""
stranger.run(f"({ask} > /tmp/told) > /dev/null 2>&1 &")
node01.wait_until("conntrack -L -s 172.16.140.76 | grep ESTABLISHED")
cluster.kubectl(f"apply -f - <<'END'\n{policy}END")
# --8<-- [end:open]
try:
    node01.wait_until("iptables -S | grep -q 'cali-tw.*cali-pi-'")
    # --8<-- [start:ask]
    connect = "/agnhost connect --timeout=2s 172.16.196.155:8080"
    stranger.run(connect, status=1)
    told = stranger.run("touch /tmp/go; sleep 2; tail -n 1 /tmp/told")
    # --8<-- [end:ask]
finally:
    cluster.nodes[0].quiet("kubectl delete networkpolicy nobody")
    node01.wait_until("! iptables -S | grep -q cali-pi-")
assert told.stdout == "server"
