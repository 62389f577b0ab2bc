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
assert int(calico.stdout) > 1.5 * int(other.stdout)
# --8<-- [start:walk]
short = r"""sed 's/-m comment --comment "cali:[^"]*" //'"""
ends = node01.run(f"iptables -S FORWARD | grep cali | {short}")
way = ["cali-FORWARD", "cali-to-wl-dispatch", into]
way.append("cali-pi-_Ju4-1r2xf0fqNSMGqYU")
rules = [node01.run(f"iptables -S {name} | {short}") for name in way]
# --8<-- [end:walk]
assert ends.lines[0] == "-A FORWARD -j cali-FORWARD"
assert ends.lines[1].endswith("--mark 0x10000/0x10000 -j ACCEPT")
assert f"-o cali+ -j {way[1]}" in rules[0].stdout
assert f"-o cali7715d358f22 -g {into}" in rules[1].stdout
jumps = [line.split()[-1] for line in rules[2].lines[1:]]
assert jumps[:2] == ["ACCEPT", "DROP"]  # known, invalid
assert jumps[3:7] == [way[3], "RETURN", "DROP", "cali-pri-kns.default"]
assert "-m set --match-set cali40s:" in rules[3].lines[1]
