"""GC succeeds, and these two plugins throw nothing away."""

from lab import cluster

cluster.alone("makes a network namespace and a device on node01")
node01 = cluster.node("node01")
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24"}}"""
who = "CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo"
call = f"{who} CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
ptp = f"{call} /opt/cni/bin/ptp < /run/demo.json"
try:
    node01.quiet(f"echo '{conf}' > /run/demo.json")
    node01.quiet(f"ip netns add demo; CNI_COMMAND=ADD {ptp}")
    # --8<-- [start:gc]
    none = """jq '."cni.dev/valid-attachments" = []' demo.json"""
    node01.run(f"cd /run; {none} > demo.gc")
    gc = "CNI_COMMAND=GC CNI_PATH=/opt/cni/bin /opt/cni/bin/ptp"
    done = node01.run(f"{gc} < /run/demo.gc")
    kept = node01.run("ls /var/lib/cni/networks/demo")
    # --8<-- [end:gc]
finally:
    node01.quiet(f"CNI_COMMAND=DEL {ptp}; ip netns del demo")
    node01.quiet("rm -r /run/demo.* /var/lib/cni/networks")
assert done.stdout == ""
assert kept.lines == ["10.20.0.2", "last_reserved_ip.0", "lock"]
