"""A folder that holds one thing here and another thing there."""

from lab import sandbox

# --8<-- [start:mount]
sandbox.run("mkdir /run/desk; echo sandbox > /run/desk/note")

cover = "mount -t tmpfs desk /run/desk"
write = "echo inside > /run/desk/note; cat /run/desk/note"
within = sandbox.run(f"unshare --mount sh -c '{cover}; {write}'")
after = sandbox.run("cat /run/desk/note")
# --8<-- [end:mount]
assert within.lines == ["inside"]
assert after.lines == ["sandbox"]
mounts = "grep -c ' /run/desk ' /proc/mounts"
assert sandbox.quiet(mounts, status=1).lines == ["0"]
