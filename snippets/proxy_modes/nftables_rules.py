"""In nftables mode a Service is one entry of a map."""

from base64 import b32encode
from hashlib import sha256

from lab import cluster

cluster.needs("web")
cluster.alone("switches kube-proxy to nftables and back")
cluster.limit(300)
node01, client = cluster.node("node01"), cluster.pod("client")
hash8 = b32encode(sha256(b"default/web/tcp/").digest())[:8]
chain = f"service-{hash8.decode()}-default/web/tcp/"
ping = "ping -c 1 -W 1 10.96.0.80"
url = "curl -s --max-time 2 http://10.96.0.80"
# --8<-- [start:switch]
with cluster.proxy_mode("nftables"):
    # --8<-- [end:switch]
    # --8<-- [start:rules]
    left = "iptables-save -t nat | grep -c default/"
    node01.run(left, status=1)
    get = "nft get element ip kube-proxy service-ips"
    key = "'{ 10.96.0.80 . tcp . 80 }'"
    entry = node01.run(f"{get} {key} | grep goto")
    rule = node01.run(f"nft list chain ip kube-proxy {chain}")
    # --8<-- [end:rules]
    # --8<-- [start:fails]
    client.run(f"{url} -o /dev/null -w '%{{http_code}}\\n'")
    pinged = client.run(ping, status=1)
    refused = client.run(f"{url}:81", status=7)
    check = "nft list chain ip kube-proxy cluster-ips-check"
    last = node01.run(f"{check} | grep daddr")
    # --8<-- [end:fails]
assert f"goto {chain}" in entry.stdout
assert "numgen random mod 3 map" in rule.stdout
assert "Unreachable" in pinged.stdout
assert ["reject" in line for line in last.lines] == [True, False]
