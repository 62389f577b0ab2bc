"""From a Service's name to its address, by way of a Service."""

from lab import cluster

cluster.needs("web")
client = cluster.pod("client")
# --8<-- [start:name]
conf = client.run("cat /etc/resolv.conf")
full = client.run("dig +short web.default.svc.cluster.local")
short = client.run("dig +short +search web")
shown = "'%{http_code} from %{remote_ip}\\n'"
got = client.run(f"curl -s -o /dev/null -w {shown} http://web/")
# --8<-- [end:name]
assert "nameserver 10.96.0.10" in conf.lines
assert "search default.svc.cluster.local" in conf.stdout
assert full.lines == short.lines == ["10.96.0.80"]
assert got.lines == ["200 from 10.96.0.80"]
# --8<-- [start:server]
get = "get -n kube-system"
columns = "custom-columns=NAME:.metadata.name,IP:.spec.clusterIP"
dns = cluster.kubectl(f"{get} service kube-dns -o {columns}")

slices = "endpointslices -l kubernetes.io/service-name=kube-dns"
name = "jsonpath={..targetRef.name} | cut -d- -f1"
pods = cluster.kubectl(f"{get} {slices} \\\n  -o {name}")
# --8<-- [end:server]
assert dns.lines[1].split() == ["kube-dns", "10.96.0.10"]
assert pods.lines == ["coredns"]
