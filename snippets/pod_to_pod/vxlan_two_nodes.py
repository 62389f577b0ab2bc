"""A bridge on each of two nodes, and a VXLAN tunnel between them."""

from lab import cluster
from lab.vxlan import hand_made

cluster.alone("builds a second pod network on two nodes")
pod = "ip netns exec hand-made"
ping = f"{pod} ping -c 1 -W 1 10.244.2.2 | head -n 2"

with hand_made(joined=False) as (left, right):
    lost = left.node.run(ping)
    # --8<-- [start:join]
    for here, there in (left, right), (right, left):
        ip = here.ip
        tunnel = ip.link_lookup(ifname="flannel.1")[0]
        net, node = f"10.244.{there.number}.0", there.node.address
        to = {"dst": f"{net}/24", "gateway": net, "oif": tunnel}
        mac = {"ifindex": tunnel, "lladdr": there.mac}

        ip.route("add", proto="boot", flags=["onlink"], **to)
        ip.neigh("add", dst=net, state="permanent", **mac)
        ip.fdb("append", dst=node, **mac)
    # --8<-- [end:join]
    # --8<-- [start:look]
    node01 = left.node
    found = node01.run(ping)
    route = node01.run("ip route show 10.244.2.0/24")
    arp = node01.run("ip neigh show dev flannel.1")
    fdb = node01.run("bridge fdb show dev flannel.1")
    node01.run(f"{pod} ip route")
    # --8<-- [end:look]
line = "10.244.2.0/24 via 10.244.2.0"
assert "ttl=" not in lost.stdout and "ttl=62" in found.stdout
assert route.lines == [f"{line} dev flannel.1 onlink"]
assert arp.lines == [f"10.244.2.0 lladdr {right.mac} PERMANENT"]
assert fdb.lines[0].startswith(f"{right.mac} dst 192.168.56.12 ")
assert "cni0" not in [link.name for link in node01.links()]
