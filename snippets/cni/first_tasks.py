"""What host-local knows and keeps, and what ptp will not do without."""

import json

from lab import cluster

cluster.alone("takes an address from a network of its own on node01")
node01 = cluster.node("node01")
# --8<-- [start:tasks]
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24"}}"""
fixed = "CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
add = f"CNI_COMMAND=ADD CNI_CONTAINERID=demo {fixed}"
ptp = "/opt/cni/bin/ptp < /run/demo.json"
local = "/opt/cni/bin/host-local"
empty = '{"cniVersion": "1.0.0"}'
ask = f"echo '{empty}' | CNI_COMMAND=VERSION"
kept = "/var/lib/cni/networks/demo/10.20.0.2"
try:
    known = node01.run(f"{ask} {local}")
    node01.run(f"echo '{conf}' > /run/demo.json")
    no = node01.run(f"{add} \\\n  {ptp}", status=1)
    one = f"CNI_NETNS=/run/netns/demo {local}"
    node01.run(f"{add} \\\n  {one} < /run/demo.json")
    file = node01.run(f"cat {kept}")
    # --8<-- [end:tasks]
finally:
    node01.quiet("rm -r /run/demo.json /var/lib/cni/networks")
assert json.loads(known.stdout)["supportedVersions"][-1] == "1.1.0"
error = json.loads(no.stdout)
assert error["code"] == 4
assert error["msg"] == "required env variables [CNI_NETNS] missing"
assert [line.strip() for line in file.lines] == ["demo", "eth0"]
