"""With session affinity, a client comes to the same pod again."""

from lab import cluster

cluster.needs("web")
node01, client = cluster.node("node01"), cluster.pod("client")
chain = "iptables -t nat -S KUBE-SVC-BJWR5DPVIKTHVKZU"
# --8<-- [start:again]
url = '"http://10.96.0.83/hostname?[1-20]"'
close = "-H 'Connection: close'"
one = client.run(f"curl -s -w '\\n' {close} {url} | uniq | wc -l")
# --8<-- [end:again]
assert one.stdout == "1\n"
# --8<-- [start:rules]
cut = "sed 's/.*8080\" //; s/ --mask [0-9.]*//'"
out = node01.run(f"{chain} | grep -- '->' | {cut}")
known = "/proc/net/xt_recent/KUBE-SEP-*"
seen = node01.run(f"cat {known} | cut -d' ' -f1")
# --8<-- [end:rules]
asked = ["recent" in line for line in out.lines]
assert asked == [True] * 3 + [False] * 3
assert out.stdout.count("--rcheck --seconds 10800 --reap") == 3
assert seen.lines == ["src=172.16.196.170"]
