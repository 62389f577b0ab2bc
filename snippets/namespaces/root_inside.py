"""Root in the sandbox, nobody outside of it."""

from lab import sandbox

# --8<-- [start:root]
who = sandbox.run("id -un; stat -c %U /etc/shadow")
secret = sandbox.run("cat /etc/shadow", status=1)
# --8<-- [end:root]
assert who.lines == ["root", "nobody"]
assert "Permission denied" in secret.stderr

# One user of the outside is root in here, and no other user is known.
users = sandbox.quiet("cat /proc/self/uid_map").stdout.split()
inside, outside, count = map(int, users)
assert (inside, count) == (0, 1)
assert outside != 0
