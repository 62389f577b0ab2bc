"""Without a policy, every pod is let in."""

from lab import cluster

cluster.needs("policy_pods")
node01 = cluster.node("node01")
friend, stranger = cluster.pod("friend"), cluster.pod("stranger")
# --8<-- [start:ask]
url = "172.16.196.155:8080/hostname"
curl = f"curl -s -m 5 -w ', %{{http_code}}\\n' {url}"
answers = [pod.run(curl) for pod in (friend, stranger)]
# --8<-- [end:ask]
# --8<-- [start:chain]
short = r"""sed 's/-m comment --comment "cali:[^"]*" //'"""
server = "cali-tw-cali7715d358f22"

chain = node01.run(f"iptables -S {server} | {short}")
profile = node01.run(f"iptables -S cali-pri-kns.default | {short}")
# --8<-- [end:chain]
for answer in answers:
    assert answer.stdout == "server, 200\n"
jumps = [line.split()[-1] for line in chain.lines[1:]]
assert "cali-pi-" not in chain.stdout
assert jumps[0] == "ACCEPT" and "RELATED,ESTABLISHED" in chain.lines[1]
assert jumps[3:5] == ["cali-pri-kns.default", "RETURN"]
assert jumps[-1] == "DROP"
assert profile.lines[-1].endswith("--set-xmark 0x10000/0x10000")
assert len(profile.lines) == 2
