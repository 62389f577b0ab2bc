"""Felix and BIRD stand still: pods talk on, lost routes stay lost."""

from lab import cluster

cluster.needs("pods")
cluster.alone("stops a node's Felix and BIRD, and takes routes away")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
both = "$(pgrep -f '^calico-node -felix'; pgrep -x bird)"
near = "ping -c 1 -W 3 172.16.196.147 | grep received"
far = "ping -c 1 -W 3 172.16.140.70 | grep received"
up = "ip link set calice0906292e2 up"
back = "ip route | grep -cE '140.64/26 via|196.147 dev' | grep 2"
try:
    # --8<-- [start:stop]
    node01.run(f"kill -STOP {both}")
    before = [pod2.run(near), pod2.run(far)]
    # --8<-- [end:stop]
    # --8<-- [start:lost]
    node01.run("ip route del 172.16.140.64/26")
    node01.run("ip link set calice0906292e2 down")
    node01.run(up)
    without = [pod2.run(near), pod2.run(far)]
    lost = node01.run("ip route")
    # --8<-- [end:lost]
    # --8<-- [start:thaw]
    node01.run(f"kill -CONT {both}")
    node01.wait_until(back)
    found = node01.run("ip route")
    after = [pod2.run(near), pod2.run(far)]
    # --8<-- [end:thaw]
finally:
    node01.quiet(f"{up}; kill -CONT {both}")
    node01.wait_until(back, timeout=50)

assert all(" 1 received" in out.stdout for out in before + after)
assert all(" 0 received" in out.stdout for out in without)
new = set(found.lines) - set(lost.lines)
block, pod1 = sorted(new)
assert "proto bird" in block and pod1.endswith("scope link")
