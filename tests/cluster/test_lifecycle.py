"""Two labs side by side, and what is left of one after it was interrupted or killed."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Lab

from lab.carriers.uml import UmlCarrier
from lab.spec import load_spec

pytestmark = pytest.mark.cluster
NODES = [node.name for node in load_spec().nodes]
DUMP = "ip route; iptables -t nat -S"


def dump(lab: Lab, node: str) -> list[str]:
    """Routes and nat rules of a node, without what is listed as noise.

    The noise: the device of a Deployment's pod, whose name ends at random; and the order in which
    kube-proxy, which walks a Go map, lists its chains and the Services' own rules in KUBE-SERVICES.
    The order of the rules within every other chain is compared.
    """
    said = lab("ssh", node, "--", DUMP).stdout
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    assert len(lines) > 20
    lines = [re.sub(r"(?<=^172\.16\.49\.6[67] dev )cali[0-9a-f]{11}", "<deployment>", line) for line in lines]
    return sorted(lines, key=_place)


def _place(line: str) -> tuple[int, str, str]:
    """Where a line belongs: routes, then chains by name, then rules by their chain, in the order they have there."""
    kind, _, rest = line.partition(" ")
    if kind in ("-P", "-N"):
        return 1, rest, ""
    if kind == "-A":
        chain = rest.split()[0]
        return 2, chain, rest if rest.startswith("KUBE-SERVICES -d ") else ""
    return 0, "", ""


@pytest.fixture(scope="module")
def first_dumps(lab: Lab) -> dict[str, list[str]]:
    """What every node of the first lab had, made anew. It is down afterwards: two clusters want more than two cores."""
    lab("up", "--fresh", timeout=1200)
    found = {node: dump(lab, node) for node in NODES}
    lab("down")
    return found


@pytest.fixture(scope="module")
def second(first_dumps: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Another lab at the same addresses, made anew."""
    other = Lab(tmp_path_factory.mktemp("second") / "state")
    other("up", "--fresh", timeout=1200)
    yield other
    other("down", "--delete")
    other.wait_gone()


@pytest.mark.parametrize("node", NODES)
def test_two_fresh_clusters_are_equal(first_dumps: dict[str, list[str]], second: Lab, node: str) -> None:
    """Routes and nat rules of two clusters, made apart, are the same byte for byte."""
    assert dump(second, node) == first_dumps[node]


def test_two_labs_do_not_meet(second: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second lab's network at the same addresses is a namespace of its own, and neither is the host's."""
    first = second.state_file()["init"]
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "third"))
    third = UmlCarrier.create(load_spec(), {})
    try:
        names = {os.readlink(f"/proc/{pid}/ns/net") for pid in (first, third.state.init, "self")}
        assert len(names) == 3
        said = subprocess.run(third.inside(["ip", "-br", "address"]), capture_output=True, text=True, check=True).stdout
        assert load_spec().networks.gateway in said
    finally:
        third.destroy()
    assert second("ssh", "node01", "--", "hostname").stdout == "node01\n"


def test_ssh_is_closed_to_the_host(second: Lab) -> None:
    """No route of the host's own namespace leads to the nodes' network."""
    assert "192.168.56." not in Path("/proc/net/fib_trie").read_text()


def test_a_dead_kernel_is_told_and_brought_back(second: Lab) -> None:
    """Status says which node is dead; up boots it again, waits for the cluster, and its connection stays."""
    pid = second.state_file()["kernels"]["node02"][0]
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    time.sleep(1)
    kernels = {node["name"]: node["kernel"] for node in second.status()["nodes"]}
    assert kernels["node01"] == "runs"
    assert "lab up" in kernels["node02"]
    assert "kubelet has reported from node02" in second("up").stderr
    assert {node["kernel"] for node in second.status()["nodes"]} == {"runs"}
    # The client of the connection to the dead kernel gives up after 15 s; it must not take the new one with it.
    time.sleep(max(0, killed + 20 - time.monotonic()))
    second("ssh", "node02", "true")


def test_a_lost_connection_is_brought_back(second: Lab) -> None:
    """When the ssh client of a node's connection is gone, the next command opens the connection again."""
    clients = [pid for pid, line in second.processes() if "node01.ssh " in line]
    assert clients
    for client in clients:
        os.kill(client, signal.SIGKILL)
    assert second("ssh", "node01", "hostname").stdout == "node01\n"


def test_down_leaves_nothing(second: Lab) -> None:
    """After `lab down` no process, namespace or socket of the lab is left."""
    second("down")
    second.wait_gone()
    assert second.status()["phase"] == "down"
    assert not second.state.joinpath("state.json").exists()


@pytest.mark.parametrize("seconds", [1.0, 4.0, 15.0])
def test_an_interrupt_leaves_nothing(second: Lab, seconds: float) -> None:
    """Ctrl-C during `lab up`, early or late, clears everything away and says so."""
    second("down")
    process = second.start("up")
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "interrupted" in said
    second.wait_gone()


def test_a_killed_up_is_repaired_by_the_next_command(second: Lab) -> None:
    """After kill -9 of `lab up`, status says so and down clears away what it left."""
    second("down")
    process = second.start("up")
    deadline = time.monotonic() + 30
    while not (second.state / "state.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.kill()
    process.communicate(timeout=30)
    assert "interrupted" in second.status()["phase"]
    second("down")
    second.wait_gone()
