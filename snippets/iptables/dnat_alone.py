"""DNAT alone: the connection arrives, the answer does not."""

from lab.worlds import three_servers

client, front, server1, *_ = three_servers()
# --8<-- [start:dnat]
to = "-p tcp --dport 27017 -j DNAT --to-destination 10.0.0.2:1234"
ask = "curl -s -m 2 192.168.1.1:27017"
syn = "-s 192.168.1.2 -p tcp --syn --dport 1234"

front.run(f"iptables -t nat -A PREROUTING {to}")
server1.run(f"iptables -t raw -A PREROUTING {syn}")
client.run(ask, status=28)
# --8<-- [end:dnat]
# --8<-- [start:why]
came = server1.run("iptables-save -t raw -c | grep 1234")
server1.run("ip route")
flow = front.run("conntrack -L 2>/dev/null")
# --8<-- [end:why]
assert int(came.stdout[1:].split(":")[0]) > 0
assert [r.dst for r in server1.routes()] == ["10.0.0.0/24"]
for words in (
    "SYN_SENT src=192.168.1.2 dst=192.168.1.1",
    "dport=27017 [UNREPLIED]",
    "src=10.0.0.2 dst=192.168.1.2 sport=1234",
):
    assert words in flow.stdout
