"""Pods that send more than the tunnel takes: big pages hang."""

from lab import cluster

cluster.needs("web")
cluster.alone("changes pods' devices, and drops ICMP on node02")
node02, client = cluster.node("node02"), cluster.pod("client")
web1, cali = cluster.pod("web-1"), "cali0761ccbeace"
silent = "OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP"
page = "curl -s -m 2 -o /dev/null -w '%{http_code}\\n'"
small = f"{page} 172.16.140.80:8080/hostname"
big = f"{page} 172.16.140.80:8080/shell?cmd=seq+2000"
ping = "ping -c 1 -W 1 -M do -s 1453 172.16.196.170"


def devices(mtu: int) -> None:
    node02.quiet(f"ip link set {cali} mtu {mtu}")
    for pod in (client, web1):
        ip = f"nsenter -t {pod.pid} -n ip"
        set_mtu = f"{ip} link set eth0 mtu {mtu}"
        pod.node.quiet(f"{set_mtu} && {ip} route flush cache")


try:
    devices(1500)
    # --8<-- [start:hangs]
    node02.run(f"iptables -A {silent}")
    outs = [client.run(small), client.run(big, status=28)]
    mute = web1.run(ping, status=1)
    node02.run(f"cd /sys/class/net; grep . {cali}/mtu tunl0/mtu")
    # --8<-- [end:hangs]
finally:
    # --8<-- [start:told]
    node02.run(f"iptables -D {silent}")
    told = web1.run(ping, status=1)
    outs.append(client.run(big))
    # --8<-- [end:told]
    devices(1480)
assert [out.lines[0] for out in outs] == ["200", "000", "200"]
assert "mtu" not in mute.stdout and "mtu = 1480" in told.stdout
