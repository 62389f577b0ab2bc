"""DNAT with SNAT: the answer comes back, the client is hidden."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
# --8<-- [start:snat]
to = "-p tcp --dport 27017 -j DNAT --to-destination 10.0.0.2:1234"
as_us = "-p tcp --dport 1234 -j SNAT --to-source 10.0.0.1"

front.run(f"iptables -t nat -A PREROUTING {to}")
front.run(f"iptables -t nat -A POSTROUTING {as_us}")
answer = client.run("curl -s -m 2 192.168.1.1:27017")
# --8<-- [end:snat]
assert answer.lines == ["server1 was asked by 10.0.0.1"]
assert [r.dst for r in client.routes()] == ["192.168.1.0/24"]
