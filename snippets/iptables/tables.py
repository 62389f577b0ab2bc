"""The tables of iptables, and the chains that each begins with."""

from lab import sandbox

front = sandbox.host("front")
# --8<-- [start:tables]
raw = front.run("iptables -t raw -S")
mangle = front.run("iptables -t mangle -S")
nat = front.run("iptables -t nat -S")
plain = front.run("iptables -S")
# --8<-- [end:tables]
filter_ = front.quiet("iptables -t filter -S")
everywhere = "PREROUTING INPUT FORWARD OUTPUT POSTROUTING"
for table, names in (
    (raw, "PREROUTING OUTPUT"),
    (mangle, everywhere),
    (nat, "PREROUTING INPUT OUTPUT POSTROUTING"),
    (filter_, "INPUT FORWARD OUTPUT"),
):
    assert table.lines == [f"-P {x} ACCEPT" for x in names.split()]
assert plain.lines == filter_.lines
