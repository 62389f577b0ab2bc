"""A full conntrack table drops what is new, and counts it."""

from lab import cluster

cluster.needs("web")
cluster.alone("sets nf_conntrack_max low on node02")
control, node02 = cluster.node("controlplane"), cluster.node("node02")
client = cluster.pod("client")
name = "net.netfilter.nf_conntrack_max"
whole = node02.quiet(f"sysctl -n {name}").lines[0]
page = "curl -s -m 1 -o /dev/null -w '%{http_code}\\n'"
said = "dmesg | grep -o 'nf_conntrack: table.*' | tail -n 1"


def drops() -> int:
    words = node02.quiet("conntrack -S").stdout.split()
    return sum(int(w[5:]) for w in words if w.startswith("drop="))


before = drops()
try:
    # --8<-- [start:full]
    works = client.run(f"{page} http://10.96.0.81/")
    node02.run(f"sysctl -w {name}=1")
    lost = client.run(f"{page} http://10.96.0.81/", status=28)
    near = client.run(f"{page} 172.16.196.160:8080")
    node02.run("[ $(conntrack -C) -gt 1 ] && echo above it")
    control.run("timeout 5 kubectl exec web-2 -- ls", status=124)
    why = node02.run(said)
    # --8<-- [end:full]
finally:
    # --8<-- [start:repair]
    node02.run(f"sysctl -w {name}={whole}")
    # --8<-- [end:repair]
# --8<-- [start:proof]
back = client.run(f"{page} http://10.96.0.81/")
# --8<-- [end:proof]
assert why.lines == ["nf_conntrack: table full, dropping packet"]
assert drops() > before and lost.lines == ["000"]
assert works.lines == back.lines == near.lines == ["200"]
