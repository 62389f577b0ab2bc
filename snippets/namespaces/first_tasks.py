"""A device that is off, and ten days more."""

from lab import sandbox

# --8<-- [start:tasks]
ping = "ping -c 1 127.0.0.1"
off = sandbox.run(f"unshare --net {ping}", status=2)
up = f"ip link set lo up; {ping} | grep received"
on = sandbox.run(f"unshare --net sh -c '{up}'")
up = "cat /proc/uptime"
both = f"{up}; unshare --time --boottime 864000 {up}"
more = "awk 'NR == 1 {a = $1} END {print int($1 - a + 0.5)}'"
days = sandbox.run(f"({both}) | {more}")
# --8<-- [end:tasks]
assert "Network is unreachable" in off.stderr
assert " 1 received" in on.stdout
assert days.lines == ["864000"]
