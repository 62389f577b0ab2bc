"""ADD by hand: a program, five variables, JSON in and JSON out."""

import json

from lab import cluster

cluster.alone("makes a network namespace and a device on node01")
node01, node02 = cluster.node("node01"), cluster.node("node02")
# --8<-- [start:add]
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24",
          "routes": [{"dst": "0.0.0.0/0"}]}}"""
who = "CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo"
where = "CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
call = f"{who} \\\n  {where} /opt/cni/bin/ptp < /run/demo.json"
noise = "del(.interfaces[].mac, .interfaces[0].name)"
try:
    node01.run("ip netns add demo")
    node01.run(f"echo '{conf}' > /run/demo.json")
    node01.run(f"CNI_COMMAND=ADD {call} > /run/demo.out")
    out = node01.run(f"jq '{noise}' /run/demo.out")
    # --8<-- [end:add]
    # --8<-- [start:look]
    own = "ip -n demo -4 addr | grep -w inet"
    dev = node01.run(f"{own}; ip -n demo route")
    ping = node01.run("ping -c 1 10.20.0.2 | head -n 2")
    far = node02.run("ip route get 10.20.0.2 | head -n 1")
    # --8<-- [end:look]
finally:
    node01.quiet(f"CNI_COMMAND=DEL {call}")
    files = "/run/demo.json /run/demo.out /var/lib/cni/networks"
    node01.quiet(f"ip netns del demo; rm -r {files}")
result = json.loads(out.stdout)
assert result["ips"][0]["address"] == "10.20.0.2/24"
assert result["interfaces"][1]["sandbox"] == "/run/netns/demo"
assert dev.lines[0].split()[:2] == ["inet", "10.20.0.2/24"]
assert dev.lines[1] == "default via 10.20.0.1 dev eth0"
assert "ttl=64" in ping.lines[1]
assert " via 192.168.56.1 dev eth0 " in far.lines[0]
