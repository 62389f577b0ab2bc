"""Each kube-proxy tells its mode; there are three."""

from lab import cluster

node01 = cluster.node("node01")
# --8<-- [start:ask]
for node in cluster.nodes:
    node.run("curl -s localhost:10249/proxyMode; echo")
config = "get configmap kube-proxy -o yaml"
said = cluster.kubectl(f"-n kube-system {config} | grep -w mode:")
# --8<-- [end:ask]
assert said.lines == ["    mode: iptables"]
# --8<-- [start:three]
proxy = "exec ds/kube-proxy -- kube-proxy"
cut = "2>&1 | grep -o 'Which proxy mode.*'"
options = cluster.kubectl(f"-n kube-system {proxy} --help {cut}")
old = "--proxy-mode userspace 2>&1 | grep -o 'Invalid value.*'"
refused = cluster.kubectl(f"-n kube-system {proxy} {old}")
# --8<-- [end:three]
for mode in ("iptables", "nftables", "ipvs"):
    assert f"'{mode}'" in options.stdout
assert "userspace" not in options.stdout
assert "userspace" in refused.stdout
# --8<-- [start:looks]
sorted_tables = "nft list tables | grep 'table ip ' | sort"
node01.run(f"iptables --version; {sorted_tables}")
# --8<-- [end:looks]
tables = node01.quiet("nft list tables").lines
assert "table ip nat" in tables
assert "table ip kube-proxy" not in tables
