"""A packet that is not allowed still makes its way to the node."""

from lab import cluster

cluster.needs("policy")
node01, stranger = cluster.node("node01"), cluster.pod("stranger")
rules = "iptables -S cali-tw-cali7715d358f22"
node01.wait_until(f"{rules} | grep -q cali-pi-")
up = "listening on"
# --8<-- [start:listen]
icmp = "icmp and host 172.16.140.76"
tunnel = f"tcpdump -n -t -c 1 -i tunl0 {icmp}"
device = f"tcpdump -n -t -i cali7715d358f22 {icmp}"

with (
    node01.background(tunnel, ready=up) as arrives,
    node01.background(device, ready=up, stop=True) as goes_in,
):
    stranger.run("ping -q -c 1 -W 1 172.16.196.155", status=1)
# --8<-- [end:listen]
asks = "172.16.140.76 > 172.16.196.155: ICMP echo request"
assert f"IP {asks}" in arrives.result.stdout
assert goes_in.result.lines == []
assert "\n0 packets captured\n" in goes_in.result.stderr
