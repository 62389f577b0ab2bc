"""What the cluster must be able to do, asked of the real one."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Lab, look

from lab.carriers.uml import UmlCarrier
from lab.spec import load_spec

HERE = Path(__file__).parent
NODES = [node.name for node in load_spec().nodes]
CLUSTER_IP, NODE_PORT = "10.96.100.100", 30100
SERVER1, SERVER2 = "172.16.196.170", "172.16.140.100"
EXEC = "kubectl -n lab-test exec server1 -- "

On = Callable[..., str]
pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def objects(carrier: UmlCarrier) -> Iterator[None]:
    """Two servers and a Service, ready on every node; gone afterwards."""
    carrier.send("controlplane", (HERE / "objects.yaml").read_text(), "/tmp/objects.yaml")
    carrier.send("controlplane", (HERE / "policy.yaml").read_text(), "/tmp/policy.yaml")

    def must(command: str) -> None:
        done = carrier.execute("controlplane", command, timeout=120)
        assert done.status == 0, done.stdout + done.stderr

    must("kubectl apply -f /tmp/objects.yaml")
    must("kubectl -n lab-test wait --for=condition=Ready --timeout=100s pod/server1 pod/server2")
    yield
    must("kubectl delete namespace lab-test --ignore-not-found --timeout=100s")


def test_every_pod_is_running_and_ready(lab: Lab) -> None:
    """`kubectl get pods -A` shows the system pods of a kubeadm cluster, all Running and Ready."""
    pods = json.loads(lab("kubectl", "--", "get", "pods", "-A", "-o", "json").stdout)["items"]
    system = [pod for pod in pods if pod["metadata"]["namespace"] == "kube-system"]
    assert len(system) == 4 + 2 * len(NODES) + 2
    for pod in system:
        assert pod["status"]["phase"] == "Running", pod["metadata"]["name"]
        assert all(status["ready"] for status in pod["status"]["containerStatuses"]), pod["metadata"]["name"]


def test_kubernetes_is_the_described_release(lab: Lab) -> None:
    """API server and kubelets report the version of cluster.yaml."""
    wanted = load_spec().versions.kubernetes
    assert json.loads(lab("kubectl", "--", "version", "-o", "json").stdout)["serverVersion"]["gitVersion"] == wanted
    nodes = json.loads(lab("kubectl", "--", "get", "nodes", "-o", "json").stdout)["items"]
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes} == {wanted}


def test_a_pod_resolves_the_api_server(objects: None, on: On) -> None:
    """Cluster DNS answers a pod's short name."""
    assert "10.96.0.1" in on("controlplane", EXEC + "dig +short +search kubernetes.default")


def test_pods_talk_across_nodes_through_the_tunnel(objects: None, on: On) -> None:
    """A pod on node01 reaches one on node02, which sees its own address; tunl0 carried the packets."""
    count = "cat /sys/class/net/tunl0/statistics/tx_packets"
    before = int(on("node01", count))
    seen = on("controlplane", EXEC + f"curl -s --max-time 5 http://{SERVER2}:8080/clientip")
    assert seen.split(":")[0] == SERVER1
    assert int(on("node01", count)) > before


@pytest.mark.parametrize("node", NODES)
def test_a_cluster_ip_answers_from_each_node(objects: None, on: On, node: str) -> None:
    """kube-proxy serves the ClusterIP on every node."""
    names = {on(node, f"curl -s --max-time 5 http://{CLUSTER_IP}/hostname") for _ in range(12)}
    assert names <= {"server1", "server2"} and names


@pytest.mark.parametrize("node", NODES)
def test_a_node_port_answers_on_each_node(objects: None, on: On, node: str) -> None:
    """The node port answers at every node's address, asked from another node."""
    address = load_spec().node(node).address
    asker = NODES[(NODES.index(node) + 1) % len(NODES)]
    assert on(asker, f"curl -s --max-time 5 http://{address}:{NODE_PORT}/hostname") in {"server1", "server2"}


def test_a_policy_denies(objects: None, on: On) -> None:
    """A NetworkPolicy stops what worked before, and its removal lets it work again."""
    ask = EXEC + f"curl -s --max-time 2 http://{SERVER2}:8080/hostname"
    assert on("controlplane", ask) == "server2"
    on("controlplane", "kubectl apply -f /tmp/policy.yaml")
    on("controlplane", f"for i in $(seq 20); do {ask} >/dev/null || exit 0; sleep 0.5; done; exit 1")
    on("controlplane", "kubectl delete -f /tmp/policy.yaml")
    on("controlplane", f"for i in $(seq 20); do {ask} >/dev/null && exit 0; sleep 0.5; done; exit 1")


@pytest.mark.parametrize("node", NODES)
def test_the_mesh_is_established(lab: Lab, on: On, node: str) -> None:
    """BIRD has a session with every other node."""
    said = on(node, "birdcl -s /run/calico/bird.ctl show protocols")
    assert said.count("Established") == len(NODES) - 1


@pytest.mark.parametrize(
    ("sender", "receiver"), [("node01", "node02"), ("node02", "node01"), ("node01", "controlplane")]
)
def test_a_large_copy_gets_through(lab: Lab, on: On, sender: str, receiver: str) -> None:
    """60 MB between two nodes arrive whole: no segment is lost to an offload."""
    address = load_spec().node(receiver).address
    on(receiver, "rm -f /tmp/copy; (timeout 60 nc -l -p 9009 > /tmp/copy) > /dev/null 2>&1 &")
    on(sender, f"sleep 0.5; head -c 60000000 /usr/local/bin/kubernetes | timeout 50 nc -N {address} 9009")
    size = on(
        receiver,
        "for i in $(seq 50); do s=$(stat -c %s /tmp/copy); [ $s = 60000000 ] && break; sleep 0.2; done; echo $s",
    )
    on(receiver, "rm -f /tmp/copy")
    assert size.strip() == "60000000"


MANY_PAGES = """
$n = shift; @kept = map { $_ * 7 } 0 .. 100000;
$begin = syscall(9, 0, $n * 4096, 1, 0x22, -1, 0); # mmap, to be read, private and of no file
for $round (1 .. 2) {
    unpack("P1", pack("Q", $begin + $_ * 4096)) for 0 .. $n - 1; # all are the one page of zeros, so none adjoin
    $sum = 0; $sum += $_ for @kept; print "$round $sum\\n";
}
"""


def test_a_program_may_have_more_pages_than_this_host_allows_mappings(on: On) -> None:
    """Each is a mapping of one of this host's processes: see lab/image/kernel/mappings.patch."""
    pages = int(Path("/proc/sys/vm/max_map_count").read_text()) + 5000
    said = on("node02", f"perl -e {shlex.quote(MANY_PAGES)} {pages}", timeout=300)
    assert said.splitlines() == ["1 35000350000", "2 35000350000"]


def test_a_failed_test_tells_how_the_nodes_are(carrier: UmlCarrier) -> None:
    """The look that is taken then: each node's load, what needs its processor, and what fills its memory."""
    said = look(carrier)
    assert re.findall(r"^(\w+):$", said, re.MULTILINE) == NODES
    assert said.count("load average: ") == said.count("%CPU") == len(NODES)
    assert "kube-apiserver" in said


def test_keys_are_private(lab: Lab) -> None:
    """The kubeconfig and the ssh keys are readable by their owner alone."""
    files = [lab.state / "kubeconfig", lab.state / "ssh_key", *lab.state.glob("nodes/*/ssh_host_ed25519_key")]
    assert len(files) == 2 + len(NODES)
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path


def test_reset_deletes_what_was_left(lab: Lab, on: On) -> None:
    """An object that a snippet left is found by its label and deleted."""
    on(
        "controlplane",
        "kubectl create configmap left && kubectl label cm left app.kubernetes.io/managed-by=living-book",
    )
    assert "left" in lab("reset").stdout
    assert "NotFound" in on("controlplane", "kubectl get configmap left 2>&1 || true")


def test_a_shell_has_the_programs_and_the_network(lab: Lab) -> None:
    """`lab shell` finds kubectl and calicoctl, both reach the API server, and it stands where the gateway is."""
    lines = lab("shell", typed="kubectl get nodes -o name; calicoctl get nodes; ip -br address\n").stdout.splitlines()
    assert lines[: len(NODES)] == [f"node/{name}" for name in sorted(NODES)]
    rest = [line.split() for line in lines[len(NODES) :] if line.strip()]
    assert [words[0] for words in rest[: 1 + len(NODES)]] == ["NAME", *sorted(NODES)]
    networks = load_spec().networks
    assert f"{networks.gateway}/{networks.node_prefix}" in [word for words in rest for word in words]


def test_the_log_of_a_unit_is_shown(lab: Lab) -> None:
    """`lab logs node01 kubelet` is the journal of that unit alone; a unit that is not there has no entries."""
    lines = lab("logs", "node01", "kubelet").stdout.splitlines()
    entries = [line for line in lines if not line.startswith("-- ")]
    assert len(entries) > 10
    assert all(re.match(r"\w{3} \d\d [\d:]{8} node01 (kubelet|systemd)\[\d+\]: ", line) for line in entries[:10])
    assert any(" node01 kubelet[" in line for line in entries)
    assert lab("logs", "node01", "no-such-unit").stdout == "-- No entries --\n"
