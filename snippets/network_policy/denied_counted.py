"""Every packet that is not allowed counts at one rule."""

from lab import cluster

cluster.needs("policy")
cluster.alone("sets counters of rules to zero")
node01 = cluster.node("node01")
friend, stranger = cluster.pod("friend"), cluster.pod("stranger")
into = "cali-tw-cali7715d358f22"
node01.wait_until(f"iptables -S {into} | grep -q cali-pi-")
# --8<-- [start:count]
show = "awk '/no policies/ {print $3, $1, \"packets\"}'"
drop = f"iptables -nvxL {into} | {show}"
pings = "ping -q -c 3 -i 0.2 -W 1 172.16.196.155 | grep loss"

node01.run(f"iptables -Z {into}")
zero = node01.run(drop)
stranger.run(pings)
three = node01.run(drop)
friend.run(pings)
six = node01.run(drop)
friend.run("/agnhost connect --timeout=2s 172.16.196.155:8080")
still = node01.run(drop)
# --8<-- [end:count]
counts = [answer.stdout for answer in (zero, three, six, still)]
assert counts == [f"DROP {n} packets\n" for n in (0, 3, 6, 6)]
