"""The client's node remembers what it replaced, for the answers."""

from lab import cluster

cluster.needs("web")
node01, node02 = cluster.node("node01"), cluster.node("node02")
client = cluster.pod("client")
for node in (node01, node02):
    node.quiet("conntrack -D -s 172.16.196.170 -p tcp || true")
# --8<-- [start:flow]
client.run("curl -s -o /dev/null http://10.96.0.81/")

flows = "conntrack -L -p tcp -s 172.16.196.170"
cut = "2>/dev/null | sed 's/ mark.*//'"
here = node01.run(f"{flows} {cut}")
there = node02.run(f"{flows} {cut}")
# --8<-- [end:flow]
assert len(here.lines) == len(there.lines) == 1


def ends(line: str) -> list[str]:
    return [w for w in line.split() if w[:4] in ("src=", "dst=")]


server, asked = "172.16.140.80", "10.96.0.81"
back = [f"src={server}", "dst=172.16.196.170"]
first = "src=172.16.196.170"
assert ends(here.lines[0]) == [first, f"dst={asked}", *back]
assert ends(there.lines[0]) == [first, f"dst={server}", *back]
