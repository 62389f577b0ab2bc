"""A plugin is a program, and it says what it understands."""

import json

from lab import cluster

node01 = cluster.node("node01")
# --8<-- [start:programs]
bin = "/opt/cni/bin"
files = node01.run(f"ls {bin}")
empty = '{"cniVersion": "1.0.0"}'
ask = f"echo '{empty}' | CNI_COMMAND=VERSION"
ptp = node01.run(f"{ask} {bin}/ptp")
calico = node01.run(f"{ask} {bin}/calico")
# --8<-- [end:programs]
known = "bandwidth bridge calico calico-ipam host-local loopback"
assert files.stdout.split() == [*known.split(), "portmap", "ptp"]
said = [json.loads(x.stdout) for x in (ptp, calico)]
new, old = (x["supportedVersions"] for x in said)
assert new[:-1] == old and new[-1] == "1.1.0" and old[-1] == "1.0.0"
# --8<-- [start:same]
same = node01.run(f"cmp {bin}/calico {bin}/calico-ipam")
# --8<-- [end:same]
assert same.stdout == ""
