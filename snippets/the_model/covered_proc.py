"""What a runtime covers in a container's `/proc` stays covered."""

from lab import cluster

cluster.needs("two_containers")
duo = cluster.pod("duo")
# --8<-- [start:covered]
wanted = '$2 ~ "^/proc/" {print $2, $1}'
covered = duo.run(f"awk '{wanted}' /proc/mounts | sort")
keys = duo.run("wc -c < /proc/keys")
# --8<-- [end:covered]
# --8<-- [start:again]
inner = "busybox unshare -Urpfm busybox mount"
duo.run(f"{inner} -t tmpfs none /tmp")
refused = duo.run(f"{inner} -t proc proc /proc", status=1)
# --8<-- [end:again]
assert {"/proc/keys tmpfs", "/proc/sys proc"} < {*covered.lines}
assert keys.lines == ["0"]
assert "permission denied" in refused.stderr
