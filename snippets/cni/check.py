"""CHECK compares what is there with what ADD has answered."""

from lab import cluster

cluster.alone("makes a network namespace and a device on node01")
node01 = cluster.node("node01")
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24"}}"""
who = "CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo"
where = "CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
ptp = f"{who} \\\n  {where} /opt/cni/bin/ptp"
try:
    node01.quiet(f"cd /run; echo '{conf}' > demo.json")
    add = f"CNI_COMMAND=ADD {ptp} < /run/demo.json > /run/demo.out"
    node01.quiet(f"ip netns add demo; {add}")
    # --8<-- [start:check]
    join = "jq '.prevResult = input' demo.json demo.out"
    node01.run(f"cd /run; {join} > demo.check")
    check = f"CNI_COMMAND=CHECK {ptp} < /run/demo.check"
    good = node01.run(check)

    node01.run("ip -n demo addr flush dev eth0")
    bad = node01.run(check, status=1)
    # --8<-- [end:check]
    # --8<-- [start:other]
    ask = "CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin /opt/cni/bin"
    ready = node01.run(f"{ask}/ptp < /run/demo.json")
    old = node01.run(f"{ask}/calico < /run/demo.json", status=1)
    jump = ask.replace("STATUS", "JUMP")
    never = node01.run(f"{jump}/ptp < /run/demo.json", status=1)
    # --8<-- [end:other]
finally:
    node01.quiet(f"CNI_COMMAND=DEL {ptp} < /run/demo.json")
    files = "/run/demo.* /var/lib/cni/networks"
    node01.quiet(f"ip netns del demo; rm -r {files}")
assert good.stdout == ready.stdout == ""
assert "Failed to match addr 10.20.0.2/24" in bad.stdout
assert "does not allow STATUS" in old.stdout
assert "unknown CNI_COMMAND: JUMP" in never.stdout
