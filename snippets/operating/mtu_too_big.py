"""Pods that send more than the tunnel takes: big pages hang."""

from lab import cluster

cluster.needs("web")
cluster.alone("changes pods' devices, and drops ICMP on node02")
node02, client = cluster.node("node02"), cluster.pod("client")
web1, web2 = cluster.pod("web-1"), cluster.pod("web-2")
silent = "OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP"
page = "curl -s -m 2 -o /dev/null -w '%{http_code} %{size_download}\\n'"
small = f"{page} 172.16.140.80:8080/hostname"
big = f"{page} '172.16.140.80:8080/shell?cmd=printf+%259000d+1'"
ping = "ping -c 1 -W 1 -M do -s 1453 172.16.196.170"


def devices(mtu: int) -> None:
    for dev in ("cali0761ccbeace", "cali9fb0db7f13e"):
        node02.quiet(f"ip link set {dev} mtu {mtu}")
    for pod in (client, web1, web2):
        change = f"ip link set eth0 mtu {mtu}; ip route flush cache"
        pod.node.quiet(f"nsenter -t {pod.pid} -n sh -c '{change}'")


try:
    devices(1500)
    # --8<-- [start:hangs]
    node02.run(f"iptables -A {silent}")
    outs = [client.run(small), client.run(big, status=28)]
    mute = web2.run(ping, status=1)
    node02.run("cd /sys/class/net; grep . cali07*/mtu tunl0/mtu")
    # --8<-- [end:hangs]
    # --8<-- [start:told]
    node02.run(f"iptables -D {silent}")
    told, full = web2.run(ping, status=1), client.run(big)
    # --8<-- [end:told]
finally:
    node02.quiet(f"iptables -D {silent} 2>/dev/null || true")
    devices(1480)
assert [o.stdout[:3] for o in (*outs, full)] == ["200", "000", "200"]
assert "mtu" not in mute.stdout and "mtu = 1480" in told.stdout
