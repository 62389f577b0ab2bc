"""A host name of one's own, for as long as a process has it."""

from lab import sandbox

# --8<-- [start:uts]
new = "unshare --uts sh -c 'hostname other; exec sleep 60'"

sandbox.run(f"{new} > /dev/null 2>&1 &")
sandbox.wait_until("pidof sleep")
within = sandbox.run("nsenter --target $(pidof sleep) --uts hostname")
outside = sandbox.run("hostname")
# --8<-- [end:uts]
assert within.lines == ["other"]
assert outside.lines == ["sandbox"]
