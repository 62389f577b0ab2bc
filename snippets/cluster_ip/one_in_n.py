"""Five endpoints: one in five, one in four of the rest, and so on."""

from lab import cluster

cluster.needs("five")
node01 = cluster.node("node01")
chain = "iptables -t nat -S KUBE-SVC-XBTWWDH2BPQTTIMU"
# --8<-- [start:cascade]
out = node01.run(f"{chain} | grep -o '172.16.140.*'")
# --8<-- [end:cascade]
assert len(out.lines) == 5
left, shares = 1.0, []
for line in out.lines:
    words = line.split()
    last = "--probability" not in words
    part = 1.0 if last else float(words[words.index("-j") - 1])
    shares.append(left * part)
    left -= left * part

assert all(abs(share - 1 / 5) < 1e-9 for share in shares)
assert [w for w in out.stdout.split() if w.startswith("0.")] == [
    "0.20000000019",
    "0.25000000000",
    "0.33333333349",
    "0.50000000000",
]
