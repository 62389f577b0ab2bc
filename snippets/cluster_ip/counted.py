"""Connections are spread over the pods, requests are not."""

from lab import cluster

cluster.needs("web")
client = cluster.pod("client")
# --8<-- [start:one]
url = '"http://10.96.0.80/hostname?[1-120]"'
curl = "curl -s -w '\\n'"

one = client.run(f"{curl} {url} | sort -u | wc -l")
# --8<-- [end:one]
# --8<-- [start:many]
close = "-H 'Connection: close'"
client.run(f"{curl} {close} {url} > /tmp/names")
most = "awk '{print $2, ($1 >= 15 && $1 <= 65) ? \"15-65\" : $1}'"
many = client.run(f"sort /tmp/names | uniq -c | {most}")
twice = client.run("uniq -d /tmp/names | sort -u")
# --8<-- [end:many]
assert one.stdout == "1\n"
names = ["web-0", "web-1", "web-2"]
assert many.lines == [f"{name} 15-65" for name in names]
assert twice.lines == names
