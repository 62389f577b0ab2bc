"""One ping through the VXLAN tunnel, on the wire; and its price."""

from lab import cluster
from lab.vxlan import hand_made

cluster.alone("builds a second pod network on two nodes")
node01 = cluster.node("node01")
up = "listening on"
with hand_made():
    # --8<-- [start:wire]
    pod = "ip netns exec hand-made"
    ping = f"{pod} ping -c 1 -M do 10.244.2.2"
    dump = "tcpdump -n -t -v -c 2 -i eth0 udp port 8472"

    with node01.background(dump, ready=up) as outer:
        node01.run(f"{ping} | grep received")
    # --8<-- [end:wire]
    # --8<-- [start:sizes]
    fits = node01.run(f"{ping} -s 1422 | grep received")
    over = node01.run(f"{ping} -s 1423", status=1)
    node01.run("pgrep -l flannel", status=1)
    # --8<-- [end:sizes]
wrapped = [line.strip() for line in outer.result.lines]
assert wrapped[0].endswith("proto UDP (17), length 134)")
assert wrapped[1].startswith("192.168.56.11.")
assert " > 192.168.56.12.8472: OTV, " in wrapped[1]
assert wrapped[1].endswith("instance 1")
assert wrapped[2].endswith("proto ICMP (1), length 84)")
assert wrapped[3].startswith("10.244.1.2 > 10.244.2.2: ICMP echo req")
assert "1 received" in fits.stdout
assert "1423(1451) bytes" in over.stdout
assert "Message too long" in over.stderr
