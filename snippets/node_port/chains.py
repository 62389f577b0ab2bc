"""From a port of the node to the Service's own chain."""

from lab import cluster

cluster.needs("node_port")
node01 = cluster.node("node01")
# --8<-- [start:chains]
show = "iptables -t nat -S"
last = node01.run(f"{show} KUBE-SERVICES | tail -n 1")
port = node01.run(f"{show} KUBE-NODEPORTS | grep default/web")
ext = node01.run(f"{show} KUBE-EXT-LOLE4ISW44XBNF3G")
# --8<-- [end:chains]
assert last.lines[0].endswith("--dst-type LOCAL -j KUBE-NODEPORTS")
assert "--dport 30080 " in port.lines[-1]
assert "-d " not in port.lines[-1]
for line in port.lines:
    assert line.endswith("-j KUBE-EXT-LOLE4ISW44XBNF3G")
jumps = [line.split()[-1] for line in ext.lines[1:]]
assert jumps == ["KUBE-MARK-MASQ", "KUBE-SVC-LOLE4ISW44XBNF3G"]
