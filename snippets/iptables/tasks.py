"""The front asks itself; a half and two quarters; nftables' words."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
# --8<-- [start:own]
to = "-p tcp --dport 27017 -j DNAT --to-destination"
one = "-A OUTPUT -d 192.168.1.1"
front.run(f"iptables -t nat {one} {to} 10.0.0.2:1234")
front.run("iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
own = front.run("curl -s 192.168.1.1:27017")
# --8<-- [end:own]
# --8<-- [start:half]
nth = "-m statistic --mode nth --packet 0 --every 2 "
for n, share in (2, nth), (3, nth), (4, ""):
    server = f"10.0.0.{n}:1234"
    front.run(f"iptables -t nat -A PREROUTING {share}{to} {server}")
url = "http://192.168.1.1:27017"
new = "-H 'Connection: close'"
many = client.run(f"curl -s '{url}/[1-80]' {new} | sort | uniq -c")
words = front.run("nft list table ip nat | grep numgen")
# --8<-- [end:half]
assert own.lines == ["server1 was asked by 10.0.0.1"]
assert [line.split()[:2] for line in many.lines] == [
    ["40", "server1"], ["20", "server2"], ["20", "server3"],
]  # fmt: skip
assert all("numgen inc mod 2 0" in line for line in words.lines)
