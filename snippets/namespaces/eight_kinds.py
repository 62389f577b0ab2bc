"""Eight kinds of namespaces, and one of them replaced."""

from lab import sandbox

# --8<-- [start:kinds]
names = sandbox.run("ls /proc/self/ns")
ask = "readlink /proc/self/ns/net /proc/self/ns/uts"

before = sandbox.run(ask)
within = sandbox.run(f"unshare --uts {ask}")
# --8<-- [end:kinds]
later = [x for x in names.lines if x.endswith("_for_children")]
kinds = [x for x in names.lines if x not in later]
assert " ".join(kinds) == "cgroup ipc mnt net pid time user uts"
assert later == ["pid_for_children", "time_for_children"]

# Only the kind that was asked for is another one.
assert within.lines[0] == before.lines[0]
assert within.lines[1] != before.lines[1]
