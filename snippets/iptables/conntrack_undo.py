"""Two rules for the way there, and none for the way back."""

from lab.worlds import three_servers

client, front, *_ = three_servers()
to = "-p tcp --dport 27017 -j DNAT --to-destination 10.0.0.2:1234"
as_us = "-p tcp --dport 1234 -j SNAT --to-source 10.0.0.1"
nat = "iptables -t nat -A"
front.quiet(f"{nat} PREROUTING {to} && {nat} POSTROUTING {as_us}")
# --8<-- [start:undo]
client.run("curl -s 192.168.1.1:27017 -H 'Connection: close'")
flow = front.run("conntrack -L 2>/dev/null")
rules = front.run("iptables -t nat -S | grep ^-A")
# --8<-- [end:undo]
words = dict(word.split("=") for word in flow.stdout.split()[4:8])
assert words["src"] == "192.168.1.2" and words["dport"] == "27017"
back = dict(word.split("=") for word in flow.stdout.split()[8:12])
assert (back["src"], back["sport"]) == ("10.0.0.2", "1234")
assert (back["dst"], back["dport"]) == ("10.0.0.1", words["sport"])
assert len(flow.lines) == 1 and len(rules.lines) == 2
