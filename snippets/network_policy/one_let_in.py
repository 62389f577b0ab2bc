"""With a policy, one pod is let in, and the other gets no answer."""

from lab import cluster

cluster.needs("policy")
node01, node02 = cluster.node("node01"), cluster.node("node02")
friend, stranger = cluster.pod("friend"), cluster.pod("stranger")
rules = "iptables -S cali-tw-cali7715d358f22"
node01.wait_until(f"{rules} | grep -q cali-pi-")
# --8<-- [start:pods]
connect = "/agnhost connect --timeout=2s 172.16.196.155:8080"

let_in = friend.run(connect)
kept_out = stranger.run(connect, status=1)
ping = friend.run("ping -c 1 -W 1 -q 172.16.196.155", status=1)
# --8<-- [end:pods]
# --8<-- [start:nodes]
curl = "curl -s -m 2 172.16.196.155:8080/clientip"
own = node01.run(f"{curl} | cut -d: -f1")
other = node02.run(curl, status=28)
# --8<-- [end:nodes]
assert let_in.stdout + let_in.stderr == ""
assert kept_out.stderr.strip() == "TIMEOUT"
assert "0 received" in ping.stdout
assert own.lines == ["172.16.196.128"] and other.stdout == ""
tunl0 = {a.address: a.dev for a in node01.addresses()}
assert tunl0["172.16.196.128/32"] == "tunl0"
