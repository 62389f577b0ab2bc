"""A fresh `/proc` is refused to whoever sees only a part of it."""

from lab import sandbox

# --8<-- [start:proc]
inner = "unshare --user --map-root-user --pid --fork --mount"
fresh = f"{inner} mount -t proc proc /proc"
hide = "mount --bind /dev/null /proc/version"

allowed = sandbox.run(f"{fresh} && echo mounted")
within = f"unshare --mount sh -c '{hide}; {fresh}'"
refused = sandbox.run(within, status=32)
# --8<-- [end:proc]
assert allowed.lines == ["mounted"]
# Older programs tell the kernel's refusal without its reason.
told = "VFS: Mount too revealing", "permission denied"
assert any(reason in refused.stderr for reason in told)
