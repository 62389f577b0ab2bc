"""The tunnel's header takes 20 bytes of every packet."""

from lab import cluster

cluster.needs("pods")
cluster.alone("lists every pod's device on a node")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
# --8<-- [start:sizes]
node01.run("cd /sys/class/net; grep . eth0/mtu tunl0/mtu cali*/mtu")
# --8<-- [end:sizes]
mtus = {link.name: link.mtu for link in node01.links()}
assert mtus["eth0"] - mtus["tunl0"] == 20
assert mtus["calibd2348b4f67"] == mtus["tunl0"] == 1480
# --8<-- [start:pings]
ping = "ping -c 1 -M do"
fits = pod2.run(f"{ping} -s 1452 172.16.140.70 | grep received")
over = pod2.run(f"{ping} -s 1453 172.16.140.70", status=1)
near = pod2.run(f"{ping} -s 1453 172.16.196.147", status=1)
# --8<-- [end:pings]
assert "1 received" in fits.stdout
for failed in (over, near):
    assert "1453(1481) bytes" in failed.stdout
    assert "0 received" in failed.stdout
    assert "Message too long" in failed.stderr
