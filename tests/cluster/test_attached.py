"""The lab's own cluster, attached as if it were a stranger's: two ways to its nodes, a namespace, and nothing left."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import LAB, Lab

from lab.carriers.uml import UmlCarrier

pytestmark = pytest.mark.cluster

Call = Callable[..., str]
WHAT_IS_THERE = "get namespaces,pods,services,networkpolicies --all-namespaces -o name"


@pytest.fixture(scope="module")
def ssh_config(carrier: UmlCarrier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names the workers; the control plane is not in it."""
    path = tmp_path_factory.mktemp("attached") / "config"
    hosts = [f"Host {node.name}\n  HostName {node.address}\n" for node in carrier.spec.workers]
    known = carrier.folder / "known_hosts"
    common = f"  User root\n  IdentityFile {carrier.folder / 'ssh_key'}\n  UserKnownHostsFile {known}\n"
    path.write_text("".join(host + common for host in hosts))
    return path


def caller(carrier: UmlCarrier, state: Path) -> Call:
    """The command `lab` of a reader who has a cluster at the nodes' addresses."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            carrier.inside([LAB, *words]), capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
            env={**environment, "LAB_STATE": str(state)},
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == status, f"lab {shlex.join(words)} exited {done.returncode}:\n{said}"
        return said

    return run


@pytest.fixture(scope="module")
def call(carrier: UmlCarrier, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """What attaches the cluster."""
    return caller(carrier, tmp_path_factory.mktemp("attached") / "state")


@pytest.fixture
def other(carrier: UmlCarrier, tmp_path: Path) -> Call:
    """What tries to, in vain."""
    return caller(carrier, tmp_path / "state")


@pytest.fixture(scope="module")
def attached(lab: Lab, call: Call, carrier: UmlCarrier, ssh_config: Path) -> Iterator[str]:
    """The cluster, attached; what `lab up` said. Afterwards it holds what it held before."""
    words = ("up", "--carrier", "attached", "--kubeconfig", str(carrier.kubeconfig()))
    before = lab("kubectl", "--", *WHAT_IS_THERE.split()).stdout
    shown = call(*words, status=1)
    assert "Namespace living-book" in shown and "nothing was made: nobody is there to be asked" in shown
    assert lab("kubectl", "--", *WHAT_IS_THERE.split()).stdout == before
    said = call(*words, "--ssh-config", str(ssh_config), "--yes")
    yield said
    call("down")
    assert lab("kubectl", "--", *WHAT_IS_THERE.split()).stdout == before


def test_what_is_made_is_shown(attached: str) -> None:
    """And what cannot be shown on this cluster, before anything runs."""
    assert "node01 (192.168.56.11) plays node01, reached by ssh" in attached
    assert "controlplane (192.168.56.10) plays controlplane, reached by a privileged pod" in attached
    assert "Pod living-book/node-controlplane: privileged" in attached
    assert "an attached cluster is left as it is" in attached and "operating/dns_gone" in attached


def test_nodes_are_entered_both_ways(attached: str, call: Call) -> None:
    """By ssh and by the pod, as root of the node itself, with the command's own exit status."""
    for node in ("controlplane", "node01"):
        assert call("ssh", node, "--", "hostname; id -u; ip -br link show type ipip").split()[:2] == [node, "0"]
        call("ssh", node, "--", "exit 7", status=7)
    assert "ready" in call("status")
    assert "node-controlplane" in call("kubectl", "--", "get", "pods")


def test_snippets_run_in_its_words(attached: str, call: Call) -> None:
    """A route and a device, with the names that they have in the lab's namespace."""
    route = call("run", "pod_to_pod/the_brief_line")
    assert "172.16.196.148 dev cali" in route and "calibd2348b4f67" not in route
    name = call("run", "pod_to_pod/interface_name")
    assert "printf living-book.pod2 | sha1sum" in name and "default.pod2" not in name


def test_an_output_of_it_is_compared_with_the_book(attached: str, call: Call, tmp_path: Path) -> None:
    """The snippet runs: one is compared, none is skipped, and the namespace's own device has the book's name again."""
    report = tmp_path / "verify.json"
    said = call("verify", "pod_to_pod/the_brief_line", "--json", str(report))
    [compared] = json.loads(report.read_text())["snippets"]
    assert (compared["snippet"], compared["result"]) == ("pod_to_pod/the_brief_line", "unchanged"), said
    assert compared["error"] == compared["difference"] == ""
    assert "1 snippet: 0 changed, 1 unchanged, 0 failed" in said


def test_the_cluster_is_checked_against_the_book(attached: str, call: Call, tmp_path: Path) -> None:
    """Nothing differs in meaning: the device has another name, as it must in another namespace."""
    report = tmp_path / "check.json"
    said = call("check", "pod_to_pod/the_brief_line", "--json", str(report))
    told = json.loads(report.read_text())
    [checked] = told["snippets"]
    assert (checked["snippet"], checked["result"]) == ("pod_to_pod/the_brief_line", "differs as expected"), said
    assert (checked["differences"], checked["error"], told["faults"], told["skipped"]) == ([], "", [], {})
    assert "0 same, 1 differs as expected, 0 differ in meaning" in said


def test_calico_looks_for_the_nodes_own_network(attached: str, lab: Lab) -> None:
    """As the manifest that kubectl made asks for; the same manifest goes to virtual machines, with two devices each."""
    path = "{.spec.template.spec.containers[0].env[?(@.name=='IP_AUTODETECTION_METHOD')].value}"
    words = ("-n", "kube-system", "get", "daemonset", "calico-node", "-o", f"jsonpath={path}")
    assert lab("kubectl", "--", *words).stdout == "cidr=192.168.56.0/24"


def test_what_would_stop_a_program_is_skipped(attached: str, call: Call) -> None:
    said = call("run", "operating/dns_gone", status=1)
    assert "operating/dns_gone is skipped on this cluster" in said and "it stops CoreDNS" in said
    said = call("verify", "cni/add", "cni/check")
    assert "2 of 2 snippets are skipped" in said


def test_bad_ways_are_one_message_each(other: Call, carrier: UmlCarrier, ssh_config: Path, tmp_path: Path) -> None:
    """A key that the node refuses, and an address that nobody has."""
    config, key = tmp_path / "config", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    words = ("up", "--carrier", "attached", "--kubeconfig", str(carrier.kubeconfig()), "--ssh-config", str(config))
    config.write_text(ssh_config.read_text().replace(str(carrier.folder / "ssh_key"), str(key)))
    assert "node01: ssh refuses the key" in other(*words, status=1)
    config.write_text(ssh_config.read_text().replace("192.168.56.11", "192.168.56.99"))
    assert "node01: it is not reached by ssh" in other(*words, status=1)


def test_a_right_that_is_missing_is_named(other: Call, lab: Lab, carrier: UmlCarrier, tmp_path: Path) -> None:
    """A user who may only look is told what else there must be."""
    token = lab("kubectl", "--", "create", "token", "default", "-n", "default").stdout.strip()
    text = carrier.kubeconfig().read_text()
    lines = [line for line in text.splitlines() if "client-" not in line]
    config = tmp_path / "kubeconfig"
    config.write_text("\n".join(lines) + f"\n    token: {token}\n")
    said = other("up", "--carrier", "attached", "--kubeconfig", str(config), "--namespace", "other", status=1)
    assert "may not list nodes" in said and "may not create pods --namespace other" in said
    assert "kubectl auth can-i" in said
