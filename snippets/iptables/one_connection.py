"""Balanced is the connection, not the request."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
front.quiet("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
to = "-p tcp --dport 27017 -j DNAT --to-destination"
nth = "-m statistic --mode nth --packet 0 --every"
shares = (2, f"{nth} 3 "), (3, f"{nth} 2 "), (4, "")
add = "iptables -t nat -A PREROUTING"
rules = [f"{add} {x}{to} 10.0.0.{n}:1234" for n, x in shares]
front.quiet(" && ".join(rules))
# --8<-- [start:one]
url = "'http://192.168.1.1:27017/[1-6]'"
every = "-p tcp --dport 27017"
front.run(f"iptables -t raw -A PREROUTING {every}")

answers = client.run(f"curl -s {url}")
seen = front.run("iptables-save -t raw -c | grep 27017")
asked = front.run("iptables-save -t nat -c | grep DNAT")
# --8<-- [end:one]
assert answers.lines == ["server1 was asked by 10.0.0.1"] * 6
assert int(seen.stdout[1:].split(":")[0]) > 6
counts = [line.split()[0] for line in asked.lines]
assert counts == ["[1:60]", "[0:0]", "[0:0]"]
