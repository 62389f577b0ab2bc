"""Five places at which a packet can be caught: three ways past them."""

from lab.worlds import three_servers

client, front, server1, *_ = three_servers()
server1.quiet("ip route add 192.168.1.0/24 via 10.0.0.1")
client.quiet("ip route add 10.0.0.0/24 via 192.168.1.1")
# --8<-- [start:count]
hooks = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
rule = "-p icmp --icmp-type echo-request"
count = f"iptables -t mangle -A $hook {rule}"
front.quiet(f"for hook in {hooks}; do {count}; done")

show = "iptables-save -t mangle -c | grep icmp"
seen = []
for host, address in (
    (client, "10.0.0.2"),  # through the front
    (client, "192.168.1.1"),  # to the front
    (front, "10.0.0.2"),  # from the front
):
    front.quiet("iptables -t mangle -Z")
    host.run(f"ping -c 1 {address} | grep received")
    lines = front.run(show).lines
    hits = [line for line in lines if line.startswith("[1:")]
    seen.append([line.split()[2] for line in hits])
# --8<-- [end:count]
assert seen == [
    ["PREROUTING", "FORWARD", "POSTROUTING"],
    ["PREROUTING", "INPUT"],
    ["OUTPUT", "POSTROUTING"],
]
