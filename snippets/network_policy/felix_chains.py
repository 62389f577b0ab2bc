"""The chains that a packet for the server meets, one by one."""

from lab import cluster

cluster.needs("policy")
cluster.alone("counts all rules of a node")
node01 = cluster.node("node01")
into = "cali-tw-cali7715d358f22"
node01.wait_until(f"iptables -S {into} | grep -q cali-pi-")
# --8<-- [start:count]
count = "iptables-save | grep '^-A' | grep -c"
calico = node01.run(f"{count} cali:")
other = node01.run(f"{count} -v cali:")
# --8<-- [end:count]
assert int(calico.stdout) > 50
# --8<-- [start:walk]
short = "sed 's/-m comment --comment \"cali:[^\"]*\" //'"
rule = f"iptables -S FORWARD 1 | {short}"
node01.run(rule)
for chain in (
    "cali-FORWARD",
    "cali-to-wl-dispatch",
    into,
    "cali-pi-_Ju4-1r2xf0fqNSMGqYU",
):
    rules = node01.run(f"iptables -S {chain} | {short}")
# --8<-- [end:walk]
