"""A Service with one pod in nftables mode, and an address of nobody."""

from base64 import b32encode
from hashlib import sha256

from lab import cluster

cluster.needs("web")
cluster.alone("switches kube-proxy to nftables and back")
cluster.limit(300)
node01, client = cluster.node("node01"), cluster.pod("client")
# --8<-- [start:tasks]
hash8 = b32encode(sha256(b"default/solo/tcp/").digest())[:8]
chain = f"service-{hash8.decode()}-default/solo/tcp/"
with cluster.proxy_mode("nftables"):
    rule = node01.run(f"nft list chain ip kube-proxy {chain}")
    ping = client.run("ping -c 1 -W 1 10.96.0.99", status=1)
# --8<-- [end:tasks]
assert "dnat" in rule.stdout and "random" not in rule.stdout
assert "172.16.140.80:8080" in rule.stdout
assert "100% packet loss" in ping.stdout
assert "Unreachable" not in ping.stdout
