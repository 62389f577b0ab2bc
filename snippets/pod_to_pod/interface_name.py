"""The device's name is a hash of the pod's name."""

from hashlib import sha1

from lab import cluster

cluster.needs("pods")
node01 = cluster.node("node01")
# --8<-- [start:name]
name = "cali" + sha1(b"default.pod2").hexdigest()[:11]

out = node01.run("printf default.pod2 | sha1sum | cut -c1-11")
node01.run(f"ip route show dev {name}")
# --8<-- [end:name]
assert name == "calibd2348b4f67"
assert out.stdout == name.removeprefix("cali") + "\n"
assert name in [link.name for link in node01.links()]
