"""What a new network namespace has: next to nothing."""

from lab import sandbox

# --8<-- [start:empty]
look = "ip -br link | grep -v @NONE; ip route; ping -c 1 127.0.0.1"
empty = sandbox.run(f"unshare --net sh -c '{look}'", status=2)
# --8<-- [end:empty]
assert [line.split()[:2] for line in empty.lines] == ([["lo", "DOWN"]])
assert "Network is unreachable" in empty.stderr
# --8<-- [start:up]
look = "ip link set lo up; ip -4 -br addr show lo"
raised = sandbox.run(f"unshare --net sh -c '{look}'")
# --8<-- [end:up]
assert raised.lines[0].split()[:3] == ["lo", "UNKNOWN", "127.0.0.1/8"]
