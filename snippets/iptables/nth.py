"""One after the other: every third, every second, the rest."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
front.quiet("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
# --8<-- [start:nth]
to = "-p tcp --dport 27017 -j DNAT --to-destination"
nth = "-m statistic --mode nth --packet 0 --every"
for n, share in (2, f"{nth} 3 "), (3, f"{nth} 2 "), (4, ""):
    server = f"10.0.0.{n}:1234"
    front.run(f"iptables -t nat -A PREROUTING {share}{to} {server}")
# --8<-- [end:nth]
# --8<-- [start:count]
url = "http://192.168.1.1:27017"
new = "-H 'Connection: close'"
client.run(f"curl -s '{url}/[1-6]' {new}")
many = client.run(f"curl -s '{url}/[1-90]' {new} | sort | uniq -c")
# --8<-- [end:count]
assert [line.split()[:2] for line in many.lines] == [
    ["30", "server1"], ["30", "server2"], ["30", "server3"],
]  # fmt: skip
