"""In IPVS mode the node has the address, and takes turns."""

from lab import cluster

cluster.needs("web")
cluster.alone("switches kube-proxy to IPVS and back")
cluster.limit(300)
node01, client = cluster.node("node01"), cluster.pod("client")
url = "curl -s --max-time 2 http://10.96.0.80"
# --8<-- [start:switch]
with cluster.proxy_mode("ipvs"):
    # --8<-- [end:switch]
    # --8<-- [start:table]
    table = node01.run("ipvsadm -Ln -t 10.96.0.80:80")
    owner = node01.run("ip -4 addr show to 10.96.0.80")
    route = node01.run("ip route show table local 10.96.0.80")
    node01.run("iptables-save -t nat | grep -c default/", status=1)
    # --8<-- [end:table]
    # --8<-- [start:turns]
    six = "'http://10.96.0.80/hostname?[1-6]' | sort | uniq -c"
    close = "-w '\\n' -H 'Connection: close'"
    turns = client.run(f"curl -s {close} {six}")
    # --8<-- [end:turns]
    # --8<-- [start:fails]
    pinged = client.run("ping -c 1 -W 1 10.96.0.80", status=1)
    client.run(f"{url}:81", status=7)
    last = node01.run("iptables -S KUBE-IPVS-FILTER | tail -1")
    # --8<-- [end:fails]
    # --8<-- [start:calendar]
    logs = "-n kube-system logs ds/kube-proxy 2>&1"
    said = cluster.kubectl(f"{logs} | grep -o 'The ipvs.*instead'")
    # --8<-- [end:calendar]
assert table.stdout.count("Masq") == 3
assert "scope global kube-ipvs0" in owner.lines[1]
assert "dev kube-ipvs0" in route.stdout
assert turns.lines == [f"      2 web-{n}" for n in range(3)]
assert "Unreachable" in pinged.stdout
assert "KUBE-IPVS-IPS" in last.stdout and "REJECT" in last.stdout
assert "1.40" in said.stdout and "1.43" in said.stdout
