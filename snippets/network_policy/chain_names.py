"""The names of the policy's chain and set are hashes, too."""

from base64 import urlsafe_b64encode
from hashlib import sha224, sha256

from lab import cluster

cluster.needs("policy")
node01 = cluster.node("node01")
name = "iptables -S cali-tw-cali7715d358f22 | grep -q cali-pi-"
node01.wait_until(name)


# --8<-- [start:name]
def text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


policy = "default/knp.default.only-friend"
chain = "cali-pi-_" + text(sha256(policy.encode()).digest())[:19]

who = """(projectcalico.org/namespace == "default" && \
(projectcalico.org/orchestrator == "k8s" && app == "friend"))"""
members = "cali40s:" + text(sha224(f"s:{who}".encode()).digest())[:23]
# --8<-- [end:name]
# --8<-- [start:ask]
rules = node01.run(f"iptables -S {chain}")
listed = node01.run(f"ipset list {members} | grep -A 9 Members")
# --8<-- [end:ask]
assert chain == "cali-pi-_Ju4-1r2xf0fqNSMGqYU"
assert len(chain) == 28 and len(members) == 31
assert f"--match-set {members} src" in rules.lines[1]
assert f"Policy {policy} ingress" in rules.lines[1]
assert listed.lines == ["Members:", "172.16.140.75"]
