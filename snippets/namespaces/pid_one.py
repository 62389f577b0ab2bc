"""Process 1: the first in its namespace, and what hangs on it."""

from lab import sandbox

# --8<-- [start:one]
new = "unshare --pid --fork --mount-proc"

alone = sandbox.run(f"{new} ps -o pid,args")
deaf = sandbox.run(f"{new} sh -c 'kill -9 1; echo still here'")
# --8<-- [end:one]
assert [line.split()[0] for line in alone.lines] == ["PID", "1"]
assert deaf.lines == ["still here"]
# --8<-- [start:last]
parent = "sh -c 'sleep 60 & sleep 0.5; pgrep -l sleep'"
child = sandbox.run(f"{new} {parent}")
gone = sandbox.run("pgrep -l sleep", status=1)
# --8<-- [end:last]
assert child.lines == ["2 sleep"]
assert gone.stdout == ""
# --8<-- [start:late]
three = "bash -c 'hostname; hostname; hostname'"
late = sandbox.run(f"unshare --pid {three}", status=254)
# --8<-- [end:late]
assert late.lines == ["sandbox"]
assert "Cannot allocate memory" in late.stderr
