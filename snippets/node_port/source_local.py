"""With the policy Local, a pod sees the client itself."""

from lab import cluster

cluster.needs("node_port")
control, node01, node02 = cluster.nodes
# --8<-- [start:peer]
who = "curl -s http://{}:30084/clientip | cut -d: -f1"
one = control.run(who.format("192.168.56.11"))
two = control.run(who.format("192.168.56.12"))

curl = "curl -s -w '\\n' -H 'Connection: close'"
url = '"http://192.168.56.11:30084/hostname?[1-30]"'
pods = control.run(f"{curl} {url} | sort -u")
# --8<-- [end:peer]
assert one.lines == two.lines == [control.address]
assert pods.lines == ["web-0"]
# --8<-- [start:rules]
cut = "sed 's/-m comment --comment //'"
show = "iptables -t nat -S"
ext = node01.run(f"{show} KUBE-EXT-NEXWZWH5PGMW4KIO | {cut}")
svl = node01.run(f"{show} KUBE-SVL-NEXWZWH5PGMW4KIO | {cut}")
# --8<-- [end:rules]
assert [line.split()[-1][:8] for line in ext.lines[1:]] == [
    "KUBE-SVC",
    "KUBE-MAR",
    "KUBE-SVC",
    "KUBE-SVL",
]
assert len(svl.lines) == 2 and "172.16.196.160" in svl.lines[1]
for node in cluster.nodes:
    chains = node.quiet("iptables-save | grep ^:").stdout
    assert "KUBE-EXT-" in chains and "KUBE-XLB-" not in chains
