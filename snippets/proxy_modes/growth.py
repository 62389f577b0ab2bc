"""What grows with the number of Services, and what does not."""

from lab import cluster

cluster.needs("web")
cluster.alone("switches kube-proxy, and makes ten Services")
cluster.limit(600)
control, node01 = cluster.node("controlplane"), cluster.node("node01")
# --8<-- [start:make]
TEN = r"""'BEGIN {for (s = 0; s < 10; s++) {
  printf "---\n{apiVersion: v1, kind: Service, "
  printf "metadata: {name: s%d}, spec: {selector: {app: web}, ", s
  printf "ports: ["; for (p = 1; p <= n; p++)
  printf "{name: p%d, port: %d},", p, p; print "]}}"}}'"""
# --8<-- [end:make]
WALK = "iptables -t nat -S KUBE-SERVICES | grep -c -- -A"
NFT = "nft list map ip kube-proxy service-ips | grep -c /s[0-9]/"
NFT_WALK = "nft list chain ip kube-proxy services | grep -c daddr"
MODES = {
    "iptables": ("iptables-save | grep -c 'A.*-S[EV].-'", 11, 50, WALK),
    "nftables": (NFT, 1, 0, NFT_WALK),
    "ipvs": ("ipvsadm -Sn | wc -l", 4, 19, WALK),
}
TIMES = "curl -s localhost:10249/metrics | grep rules_duration_"
DELETE = "kubectl delete service $(seq -f s%g 0 9) --ignore-not-found"
for mode, (count, each, other, walk) in MODES.items():
    with cluster.proxy_mode(mode):
        node01.quiet(f"{TIMES}seconds")
        try:
            for n in (1, 10, 100):
                make = f"awk -v n={n} {TEN} | kubectl apply -f -"
                control.quiet(make, timeout=60)
                there = f"[ $({count}) = {each * n * 10 + other} ]"
                node01.wait_until(there, timeout=120)
                node01.quiet(f"{TIMES}seconds")
                node01.run(count)
                steps = int(str(node01.run(walk)))
            assert steps == 1008 if mode == "iptables" else steps < 5
        finally:
            control.quiet(DELETE, timeout=60)
