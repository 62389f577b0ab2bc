"""A pod that calls itself through its Service sees its node."""

from lab import cluster

cluster.needs("web")
node02, client = cluster.node("node02"), cluster.pod("client")
web1 = cluster.pod("web-1")
# --8<-- [start:peer]
who = "curl -s http://10.96.0.81/clientip | cut -d: -f1"
other = client.run(who)
itself = web1.run(who)
node02.run("ip -4 -o addr show tunl0 | cut -d' ' -f7")
# --8<-- [end:peer]
assert other.lines == [client.address] == ["172.16.196.170"]
assert itself.lines == ["172.16.140.64"]
owner = [a.dev for a in node02.addresses() if "140.64" in a.address]
assert owner == ["tunl0"]
# --8<-- [start:mark]
show = "iptables -t nat -S"
sep = node02.run(f"{show} KUBE-SEP-KEUPSEFGJD4RMISS | tail -n +2")
mark = node02.run(f"{show} KUBE-MARK-MASQ | tail -n +2")
post = node02.run(f"{show} KUBE-POSTROUTING | tail -n +2")
# --8<-- [end:mark]
assert sep.lines[0].split()[2:4] == ["-s", f"{web1.address}/32"]
assert sep.lines[0].endswith("-j KUBE-MARK-MASQ")
assert mark.lines[0].endswith("--set-xmark 0x4000/0x4000")
assert "! --mark 0x4000/0x4000 -j RETURN" in post.lines[0]
assert "-j MASQUERADE" in post.lines[-1]
