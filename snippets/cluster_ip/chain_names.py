"""The names of the chains are hashes of what they are for."""

from base64 import b32encode
from hashlib import sha256

from lab import cluster

cluster.needs("web")
node01 = cluster.node("node01")


# --8<-- [start:name]
def name(*parts: str) -> str:
    digest = sha256("".join(parts).encode()).digest()
    return b32encode(digest).decode()[:16]


svc = "KUBE-SVC-" + name("default/web", "tcp")
sep = "KUBE-SEP-" + name("default/web", "tcp", "172.16.140.80:8080")
# --8<-- [end:name]
# --8<-- [start:ask]
chain = node01.run(f"iptables -t nat -S {svc}")
node01.run(f"iptables -t nat -S {sep}")
# --8<-- [end:ask]
assert svc == "KUBE-SVC-LOLE4ISW44XBNF3G"
targets = [line.split()[-1] for line in chain.lines[2:]]
assert targets[0] == sep and len(targets) == 3
for line, target in zip(chain.lines[2:], targets, strict=True):
    address = line.split('"')[1].split(" -> ")[1]
    assert target[9:] == name("default/web", "tcp", address)

# The article of 2020 still had a colon in what is hashed.
assert name("default/hello-world:", "tcp") == "33X6KPGSXBPETFQV"
assert name("default/hello-world", "tcp") == "DZ6LTOHRG6HQWHYE"
