"""Every node has the same rules for a Service."""

from lab import cluster

cluster.needs("web")
# --8<-- [start:digests]
rules = "iptables -t nat -S | grep default/web | sort"
outs = [node.run(f"{rules} | sha256sum") for node in cluster.nodes]
# --8<-- [end:digests]
assert len(outs) == 3
assert len({out.stdout for out in outs}) == 1

texts = [node.quiet(rules).lines for node in cluster.nodes]
assert texts[0] == texts[1] == texts[2]
assert len(texts[0]) == 11
