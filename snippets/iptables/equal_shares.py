"""A third of what is left is not a third: equal shares leave a rest."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
front.quiet("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
# --8<-- [start:equal]
to = "-p tcp --dport 27017 -j DNAT --to-destination"
third = "-m statistic --mode nth --every 3 --packet 0"
for n in 2, 3, 4:
    rule = f"{third} {to} 10.0.0.{n}:1234"
    front.run(f"iptables -t nat -A PREROUTING {rule}")

url = "'http://192.168.1.1:27017/[1-27]' -H 'Connection: close'"
answers = client.run(f"curl -s {url} | sort | uniq -c")
# --8<-- [end:equal]
counts = [int(line.split()[0]) for line in answers.lines]
assert counts == [27 / 3, 18 / 3, 12 / 3]
assert 27 - sum(counts) == 8
