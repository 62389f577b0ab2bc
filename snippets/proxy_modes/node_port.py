"""Where a node port answers depends on the mode of kube-proxy."""

from lab import cluster

cluster.needs("node_port")
cluster.alone("switches kube-proxy to nftables, to IPVS, and back")
cluster.limit(300)
node01, control = cluster.node("node01"), cluster.node("controlplane")
# --8<-- [start:ask]
curl = "curl -s -m 3 -o /dev/null -w '%{url} %{http_code}\\n'"
own = "'http://{192.168.56.11,172.16.196.128,127.0.0.1}:30080'"
rules = {
    "iptables": "iptables -t nat -S KUBE-SERVICES | tail -n 1",
    "nftables": "nft list set ip kube-proxy nodeport-ips",
    "ipvs": "ipvsadm -Sn | grep -e '-A.*:30080' | sort",
}
got, why = {}, {}
for mode, rule in rules.items():
    with cluster.proxy_mode(mode):
        why[mode] = node01.run(rule)
        status = 0 if mode == "iptables" else 7
        got[mode] = node01.run(f"{curl} {own}", status=status)
        outside = control.quiet(f"{curl} 192.168.56.11:30080")
        assert "200" in outside.stdout
# --8<-- [end:ask]
codes = {m: [x.split()[1] for x in out.lines] for m, out in got.items()}
assert codes["iptables"] == ["200", "200", "200"]
assert codes["nftables"] == ["200", "000", "000"]
assert codes["ipvs"] == ["200", "200", "000"]
assert "--dst-type LOCAL" in why["iptables"].stdout
assert "elements = { 192.168.56.11 }" in why["nftables"].stdout
bound = [line.split()[2] for line in why["ipvs"].lines]
assert bound == ["172.16.196.128:30080", "192.168.56.11:30080"]
