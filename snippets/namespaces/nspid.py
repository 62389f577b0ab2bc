"""One process, one number in each namespace that it is in."""

from lab import sandbox

# --8<-- [start:numbers]
new = "unshare --pid --fork"

numbers = sandbox.run(f"{new} {new} grep NSpid /proc/self/status")
# --8<-- [end:numbers]
name, here, middle, inner = numbers.stdout.split()
assert name == "NSpid:"
assert int(here) > 2
assert (middle, inner) == ("2", "1")
