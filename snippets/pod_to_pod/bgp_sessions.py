"""The nodes tell each other their blocks, and only these."""

from lab import cluster

birdcl = "birdcl -s /run/calico/bird.ctl"
# --8<-- [start:sessions]
for node in cluster.nodes:
    out = node.run(f"{birdcl} show protocols | grep BGP")
    peers = [n for n in cluster.nodes if n is not node]
    assert len(out.lines) == len(peers)
    for peer, line in zip(peers, out.lines, strict=True):
        name = "Mesh_" + peer.address.replace(".", "_")
        assert line.split()[0] == name
        assert line.split()[-1] == "Established"
# --8<-- [end:sessions]

cluster.needs("pods")
node01 = cluster.node("node01")
# --8<-- [start:routes]
mesh = "Mesh_192_168_56_12"
rest = f"{mesh} \\\n  | tail -n +2"
told = node01.run(f"{birdcl} show route export {rest}")
heard = node01.run(f"{birdcl} show route protocol {rest}")
# --8<-- [end:routes]
for out, block in (
    (told, "172.16.196.128/26"),
    (heard, "172.16.140.64/26"),
):
    words = [line.split()[0] for line in out.lines]
    assert [word for word in words if "/" in word] == [block]

own = [r.dst for r in node01.routes() if (r.dev or "")[:4] == "cali"]
assert {"172.16.196.147/32", "172.16.196.148/32"} <= set(own)
