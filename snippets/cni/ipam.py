"""Addresses come from a second plugin, which keeps a file for each."""

from lab import cluster

cluster.alone("takes addresses from a network of its own on node01")
node01 = cluster.node("node01")
# --8<-- [start:take]
conf = """{"cniVersion": "1.1.0", "name": "demo", "type": "ptp",
 "ipam": {"type": "host-local", "subnet": "10.20.0.0/24"}}"""
fixed = "CNI_NETNS=/nowhere CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin"
host_local = f"{fixed} \\\n  /opt/cni/bin/host-local < /run/demo.json"
pick = " | jq -c .ips[]"


def call(what: str, name: str) -> str:
    return f"CNI_COMMAND={what} CNI_CONTAINERID={name} {host_local}"


got = []
try:
    node01.run(f"echo '{conf}' > /run/demo.json")
    for name in "one", "two":
        got.append(node01.run(call("ADD", name) + pick))
    kept = node01.run("cd /var/lib/cni/networks/demo; head -n1 1* l*_*")
    # --8<-- [end:take]
    # --8<-- [start:back]
    node01.run(call("DEL", "one"))
    got.append(node01.run(call("ADD", "six") + pick))
    node01.run("ls /var/lib/cni/networks/demo")
    # --8<-- [end:back]
finally:
    node01.quiet("rm -r /run/demo.json /var/lib/cni/networks")
for last, out in zip("234", got, strict=True):
    assert f'"address":"10.20.0.{last}/24"' in out.stdout
assert kept.lines[:2] == ["==> 10.20.0.2 <==", "one"]
assert kept.lines[3:5] == ["==> 10.20.0.3 <==", "two"]
