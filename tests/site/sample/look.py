"""One of everything a transcript may hold."""

from lab import cluster

node01 = cluster.node("node01")
# --8<-- [start:look]
out = node01.run("seq 2")
assert out.lines == ["1", "2"]
# --8<-- [end:look]
# The longest line that a snippet may have, exactly seventy-two columns.
