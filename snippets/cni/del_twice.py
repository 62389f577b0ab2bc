"""DEL may be called again, ADD may not."""

from lab import cluster

cluster.alone("makes a network namespace and a device on node01")
node01 = cluster.node("node01")
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24"}}"""
who = "CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo"
where = "CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
call = f"{who} \\\n  {where} /opt/cni/bin/ptp < /run/demo.json"
add, delete = f"CNI_COMMAND=ADD {call}", f"CNI_COMMAND=DEL {call}"
try:
    node01.quiet(f"echo '{conf}' > /run/demo.json")
    node01.quiet(f"ip netns add demo; {add}")
    # --8<-- [start:twice]
    again = node01.run(add, status=1)

    one = node01.run(delete)
    gone = node01.run("ip -n demo link show type veth")
    left = node01.run("ls /var/lib/cni/networks/demo")
    two = node01.run(delete)

    node01.run("ip netns del demo")
    three = node01.run(delete)
    # --8<-- [end:twice]
finally:
    node01.quiet(delete)
    node01.quiet("test ! -e /run/netns/demo || ip netns del demo")
    node01.quiet("rm -r /run/demo.json /var/lib/cni/networks")
assert "duplicate allocation is not allowed" in again.stdout
assert one.stdout == two.stdout == three.stdout == gone.stdout == ""
assert left.lines == ["last_reserved_ip.0", "lock"]
