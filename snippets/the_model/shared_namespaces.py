"""What the containers of a pod share, and who holds it."""

from lab import cluster

cluster.needs("two_containers")
node01 = cluster.node("node01")
# --8<-- [start:two]
kinds = "for k in net uts ipc mnt pid; do readlink $k; done"
ask = f"sh -c 'cd /proc/1/ns; {kinds}'"
front = cluster.kubectl(f"exec duo -c front -- {ask}")
back = cluster.kubectl(f"exec duo -c back -- {ask}")
# --8<-- [end:two]
assert front.lines[:3] == back.lines[:3]
assert len({*front.lines, *back.lines}) == 3 + 2 + 2
# --8<-- [start:holder]
back = "$(pgrep -x httpd)"
show = "-n -o TYPE,NPROCS,COMMAND | grep -v init | sort"
of_back = node01.run(f"lsns -p {back} {show}")

first = f"$(lsns -n -o PID -t net -p {back})"
of_first = node01.run(f"lsns -p {first} {show}")
# --8<-- [end:holder]
shared = [f"{kind} 3 /pause" for kind in ("ipc", "net", "uts")]
rows = {" ".join(line.split()) for line in of_back.lines}
assert {*shared} < rows and len(rows) == 6
own = [f"{kind} 1 /pause" for kind in ("mnt", "pid")]
rows = {" ".join(line.split()) for line in of_first.lines}
assert {*shared, *own} <= rows
