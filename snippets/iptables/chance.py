"""Dice: one third, half of the rest, and all that is left."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
front.quiet("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
# --8<-- [start:rules]
to = "-p tcp --dport 27017 -j DNAT --to-destination"
dice = "-m statistic --mode random --probability"
third, half = f"{dice} 0.3333333333 ", f"{dice} 0.5 "
for n, share in (2, third), (3, half), (4, ""):
    server = f"10.0.0.{n}:1234"
    front.quiet(f"iptables -t nat -A PREROUTING {share}{to} {server}")
rules = front.run("iptables -t nat -S PREROUTING")
# --8<-- [end:rules]
# --8<-- [start:count]
url = "'http://192.168.1.1:27017/[1-300]' -H 'Connection: close'"
few = '$1 > 60 && $1 < 140 ? "60 to 140" : $1'
count = f"sort | uniq -c | awk '{{ print $2 \": \" ({few}) }}'"
answers = client.run(f"curl -s {url} | {count}")
# --8<-- [end:count]
assert "--probability 0.33333333349" in rules.lines[1]
assert answers.lines == [f"server{n}: 60 to 140" for n in (1, 2, 3)]
