"""Three rules for three servers, and the first one takes everything."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
front.quiet("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
# --8<-- [start:first]
to = "-p tcp --dport 27017 -j DNAT --to-destination"
for n in 2, 3, 4:
    front.run(f"iptables -t nat -A PREROUTING {to} 10.0.0.{n}:1234")

url = "'http://192.168.1.1:27017/[1-90]' -H 'Connection: close'"
answers = client.run(f"curl -s {url} | sort | uniq -c")
# --8<-- [end:first]
assert answers.stdout.split()[:2] == ["90", "server1"]
assert len(answers.lines) == 1
