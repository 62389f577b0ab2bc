"""DNAT needs no SNAT where the way back leads through the same host."""

from lab.worlds import three_servers

client, front, server1, *_ = three_servers()
to = "-p tcp --dport 27017 -j DNAT --to-destination 10.0.0.2:1234"
front.quiet(f"iptables -t nat -A PREROUTING {to}")
# --8<-- [start:back]
server1.run("ip route add default via 10.0.0.1")
answer = client.run("curl -s -m 2 192.168.1.1:27017")
# --8<-- [end:back]
assert answer.lines == ["server1 was asked by 192.168.1.2"]
