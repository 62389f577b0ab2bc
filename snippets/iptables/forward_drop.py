"""A host that forwards nothing needs leave for both directions."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
to = "-p tcp --dport 27017 -j DNAT --to-destination 10.0.0.2:1234"
as_us = "-p tcp --dport 1234 -j SNAT --to-source 10.0.0.1"
nat = "iptables -t nat -A"
front.quiet(f"{nat} PREROUTING {to} && {nat} POSTROUTING {as_us}")
# --8<-- [start:drop]
ask = "curl -s -m 2 192.168.1.1:27017"
there = "-d 10.0.0.0/24 -p tcp --dport 1234 -j ACCEPT"
back = "-m conntrack --ctstate ESTABLISHED -j ACCEPT"

front.run("iptables -P FORWARD DROP")
front.run(f"iptables -A FORWARD {there}")
client.run(ask, status=28)
front.run(f"iptables -A FORWARD {back}")
whole = client.run(ask)
# --8<-- [end:drop]
assert whole.lines == ["server1 was asked by 10.0.0.1"]

# A port without a protocol is refused.
wrong = there.replace("-p tcp ", "")
refused = front.quiet(f"iptables -A FORWARD {wrong}", status=2)
assert 'unknown option "--dport"' in refused.stderr
