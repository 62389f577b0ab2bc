"""The proof that a cluster is as it was: what is compared, what is noise, and who tells the state."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import StandIn
from fakes import FakeCarrier, FakeClock

from lab import node_state, objects, unchanged
from lab.carriers.here import HereCarrier
from lab.errors import LabError
from lab.unchanged import NOISE, Left, Noise, Proof, Watch, comparable, differences, proof_for, told

NODES = ["controlplane", "node01", "node02"]
ROUTE = "172.16.196.148/32 dev calibd2348b4f67 proto 3 scope 253 table main"


def rules(lines: list[str]) -> list[str]:
    """The comparable form of what iptables-save printed."""
    return comparable({"rules": lines})["rules"]


@pytest.mark.parametrize("noise", NOISE, ids=lambda noise: noise.name)
def test_noise_is_ignored_and_a_change_is_not(noise: Noise) -> None:
    """Each kind of noise has a pair that is equal, and a pair that is not."""
    assert rules(noise.same[0]) == rules(noise.same[1])
    assert rules(noise.different[0]) != rules(noise.different[1])


def test_a_pods_device_is_known_by_its_address() -> None:
    """A new pod of a Deployment has a new name, and so another device; at the same address it is no change."""
    lines = ["*filter", "-A cali-to-wl-dispatch -o calibd2348b4f67 -g cali-tw-calibd2348b4f67"]
    new = [line.replace("calibd2348b4f67", "cali0123456789a") for line in [ROUTE, *lines]]
    before = comparable({"routes": [ROUTE], "rules": lines})
    assert before == comparable({"routes": new[:1], "rules": new[1:]})
    other = comparable({"routes": [ROUTE.replace(".148", ".149")], "rules": lines})
    assert before != other
    assert before["rules"] == ["filter cali-to-wl-dispatch: -o cali<172.16.196.148> -g cali-tw-cali<172.16.196.148>"]


def test_other_programs_lines_are_compared_without_their_order() -> None:
    """Sets and maps of nftables are listed in the order of a hash."""
    one = ["## iptables-save", "*nat", "COMMIT", "## nft -s list table ip kube-proxy", "  b", "  a"]
    other = [*one[:4], "  a", "  b"]
    assert rules(one) == rules(other) != rules([*one[:4], "  a"])


def test_a_program_that_fails_is_seen() -> None:
    """It must not look like one that has nothing to tell."""
    assert rules(["## iptables-save", "exited 4"]) == ["iptables-save: exited 4"]


def test_differences_name_node_section_and_line() -> None:
    """What came, what went; where nothing changed nothing is told."""
    before = {"node01": {"routes": ["a", "b"], "links": ["lo"]}, "node02": {"routes": ["a"]}}
    after = {"node01": {"routes": ["b", "c"], "links": ["lo"]}, "node02": {"routes": ["a"]}}
    assert differences(before, after) == ["node01 routes: - a", "node01 routes: + c"]
    assert differences(before, before) == []


def test_a_quick_state_is_compared_with_a_whole_one() -> None:
    """What only one of them has is no difference."""
    whole = {"node01": {"routes": ["a"], "stopped processes": ["bird"]}}
    assert differences(whole, {"node01": {"routes": ["a"]}}) == []


def test_a_message_is_not_endless() -> None:
    """The first lines, and how many more there are."""
    lines = told([Left(f"line {number}") for number in range(20)]).splitlines()
    assert lines[0] == "line 0" and lines[-1] == "... and 8 more" and len(lines) == 13


# --- the program on a node, here on this host ---------------------------------


def program(folder: Path, generation: object) -> str:
    """The program for nodes, with a generation number of the kernel's rules that a test knows."""
    source = Path(node_state.__file__).read_text()
    first = "    try:\n        answer = messages(NETFILTER, NFT_GETGEN"
    assert first in source
    (folder / "node_state.py").write_text(source.replace(first, f"    return {generation}\n{first}"))
    return str(folder / "unchanged.py")


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What iptables-save prints; the nodes are this host, without any real iptables."""
    text = tmp_path / "saved"
    text.write_text("*nat\n:OUTPUT ACCEPT [1:2]\nCOMMIT\n")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, code in (("iptables-save", f"cat {text}"), ("ipset", "exit 0"), ("nft", "exit 0")):
        (folder / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / name).chmod(0o755)
    (folder / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    # Without a number the rules are read each time, as from a kernel without nftables.
    monkeypatch.setattr(unchanged, "__file__", program(tmp_path, None))
    return text


@pytest.fixture
def watch(saved: Path, fake: FakeCarrier) -> Iterator[Watch]:
    """Connections to all nodes."""
    with Watch(fake, NODES) as made:
        yield made


def test_each_node_tells_its_state(watch: Watch) -> None:
    """Real links and routes of this host, and what the program printed."""
    state = watch.look()
    assert list(state) == NODES
    sections = state["node01"]
    assert {line.split()[0] for line in sections["links"]} == set(os.listdir("/sys/class/net"))
    assert any(line.startswith("local 127.0.0.1/32 dev lo") for line in sections["routes"])
    assert sections["rules"] == ["nat OUTPUT: policy ACCEPT"]
    assert "stopped processes" not in sections
    assert "stopped processes" in watch.look(whole=True)["node01"]


def test_two_looks_at_the_same_are_equal(watch: Watch) -> None:
    """Nothing of what is told changes by itself."""
    assert differences(watch.look(), watch.look()) == []


def test_rules_that_are_as_they_were_are_not_told_again(
    saved: Path, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's generation number says so; the rules of the last time count."""
    monkeypatch.setattr(unchanged, "__file__", program(tmp_path, 7))
    with Watch(fake, ["node01"]) as watch:
        before = watch.look()
        saved.write_text("*nat\n:OUTPUT DROP [1:2]\nCOMMIT\n")
        assert watch.look() == before
    assert before["node01"]["rules"] == ["nat OUTPUT: policy ACCEPT"]


def test_a_changed_rule_is_told(watch: Watch, saved: Path) -> None:
    """Another policy on every node, since all are this host."""
    before = watch.look()
    saved.write_text("*nat\n:OUTPUT DROP [1:2]\nCOMMIT\n")
    assert differences(before, watch.look())[:2] == [
        "controlplane rules: - nat OUTPUT: policy ACCEPT",
        "controlplane rules: + nat OUTPUT: policy DROP",
    ]


def test_a_stopped_process_is_told(watch: Watch) -> None:
    """A daemon that a snippet stopped and did not continue."""
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            before = watch.look(whole=True)
            os.kill(child.pid, 19)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED)
            assert "node01 stopped processes: + sleep" in differences(before, watch.look(whole=True))
        finally:
            child.kill()


def test_a_node_without_the_program_is_an_error(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which node, and why."""
    monkeypatch.setattr(fake, "ssh_command", lambda node: ["sh", "-c", "echo no python3 here >&2; exit 127"])
    with Watch(fake, NODES) as watch, pytest.raises(LabError, match="controlplane: its state cannot be read") as caught:
        watch.look()
    assert caught.value.detail == "no python3 here"


@pytest.mark.slow
def test_a_silent_node_is_an_error(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, and nothing stays."""
    monkeypatch.setattr(fake, "ssh_command", lambda node: ["sh", "-c", "exec sleep 60"])
    monkeypatch.setattr(unchanged, "_ANSWER", 0.1)
    with Watch(fake, NODES) as watch, pytest.raises(LabError, match=r"no answer within 0\.1 s"):
        watch.look()


# --- objects --------------------------------------------------------------------


def item(kind: str, name: str, **more: object) -> dict[str, object]:
    """An object as the API server lists it."""
    metadata = {"name": name, "namespace": "default", "creationTimestamp": "2026-11-24T12:00:00Z"}
    return {"metadata": {**metadata, **more.pop("metadata", {})}, **more}  # type: ignore[dict-item]


@pytest.fixture
def inventory(
    server: StandIn, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[objects.Inventory]:
    """Reads the objects of a stand-in for the API server, which has one namespace."""
    path = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: path)
    server.objects["/api/v1/namespaces/default"] = {"metadata": {"name": "default"}}
    with objects.Inventory(fake) as made:
        yield made


PODS = "/api/v1/namespaces/default/pods"


def test_objects_that_came_went_or_changed_are_named(server: StandIn, inventory: objects.Inventory) -> None:
    """By kind, namespace and name."""
    for name in ("stays", "goes", "changes"):
        server.objects[f"{PODS}/{name}"] = item("Pod", name, spec={"nodeName": "node01"})
    before = inventory.look()
    del server.objects[f"{PODS}/goes"]
    server.objects[f"{PODS}/changes"] = item("Pod", "changes", spec={"nodeName": "node02"})
    server.objects[f"{PODS}/comes"] = item("Pod", "comes")
    assert objects.differences(before, inventory.look()) == {
        "Pod default/changes": "was changed",
        "Pod default/comes": "was left",
        "Pod default/goes": "is gone",
    }


def test_what_changes_by_itself_is_no_difference(server: StandIn, inventory: objects.Inventory) -> None:
    """Versions, times, and another pod of the same owner in the same place."""
    owner = {"ownerReferences": [{"kind": "DaemonSet", "name": "kube-proxy"}]}
    server.objects[f"{PODS}/kube-proxy-a"] = item("Pod", "kube-proxy-a", spec={"nodeName": "node01"}, metadata=owner)
    server.objects[f"{PODS}/p"] = item("Pod", "p", metadata={"resourceVersion": "1", "uid": "a"}, status={"x": 1})
    before = inventory.look()
    del server.objects[f"{PODS}/kube-proxy-a"]
    server.objects[f"{PODS}/kube-proxy-b"] = item("Pod", "kube-proxy-b", spec={"nodeName": "node01"}, metadata=owner)
    server.objects[f"{PODS}/p"] = item("Pod", "p", metadata={"resourceVersion": "2", "uid": "b"}, status={"x": 2})
    assert "Pod of default/DaemonSet kube-proxy on node01" in before
    assert objects.differences(before, inventory.look()) == {}


def test_a_pod_that_is_not_ready_any_more_is_told(server: StandIn, inventory: objects.Inventory) -> None:
    """The cluster's own pods are part of how it was."""

    def proxy(ready: str) -> dict[str, object]:
        owner = {"ownerReferences": [{"kind": "DaemonSet", "name": "kube-proxy"}]}
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        return item("Pod", "kube-proxy-a", spec={"nodeName": "node01"}, metadata=owner, status=status)

    server.objects[f"{PODS}/kube-proxy-a"] = proxy("True")
    before = inventory.look()
    server.objects[f"{PODS}/kube-proxy-a"] = proxy("False")
    found = objects.differences(before, inventory.look())
    assert found == {"Pod of default/DaemonSet kube-proxy on node01": "is not Ready"}


def test_an_api_server_without_any_object_is_an_error(server: StandIn, inventory: objects.Inventory) -> None:
    """A check that finds nothing to check must not pass."""
    server.objects.clear()
    with pytest.raises(LabError, match="lists no object at all"):
        inventory.look()


def test_a_refusing_api_server_is_an_error(
    server: StandIn, inventory: objects.Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be listed is not taken for empty."""
    monkeypatch.setattr(server, "answer", lambda *request: (403, {"message": "forbidden"}))
    with pytest.raises(LabError, match="listing /api/v1/namespaces: the API server answered 403"):
        inventory.look()


# --- both -----------------------------------------------------------------------


@pytest.fixture
def proof(
    saved: Path, inventory: objects.Inventory, fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> Iterator[unchanged.Proof]:
    """The whole proof, which does not wait long for what is on its way out."""
    monkeypatch.setattr(unchanged, "SETTLE", 0.5)
    with unchanged.Proof(fake) as made:
        yield made


def test_what_is_left_is_told_with_when_it_was_made(proof: unchanged.Proof, server: StandIn, saved: Path) -> None:
    """Rules of all nodes first, then objects."""
    before = proof.look(whole=True)
    assert proof.left(before) == []
    server.objects[f"{PODS}/comes"] = item("Pod", "comes")
    saved.write_text("*nat\n:OUTPUT DROP [1:2]\nCOMMIT\n")
    left = proof.left(before)
    assert len(left) == 7
    assert left[-1] == Left("Pod default/comes was left", 1795521600.0)


def test_a_quick_look_asks_for_no_object(proof: unchanged.Proof, server: StandIn) -> None:
    """It is made after every snippet, and must be cheap."""
    before = proof.look(whole=False)
    server.requests.clear()
    assert proof.left(before) == []
    assert server.requests == []


def test_what_goes_away_soon_was_not_left(
    proof: unchanged.Proof, server: StandIn, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod that a snippet deleted may need a moment."""
    before = proof.look(whole=True)
    server.objects[f"{PODS}/goes"] = item("Pod", "goes")
    monkeypatch.setattr(clock, "sleep", lambda seconds: server.objects.pop(f"{PODS}/goes"))
    monkeypatch.setattr(unchanged, "time", clock)
    assert proof.left(before) == []


def test_the_state_is_one_line(saved: Path) -> None:
    """However the program is asked, an answer ends where a line ends."""
    done = subprocess.run(
        [sys.executable, node_state.__file__], input="quick\nwhole\n", capture_output=True, text=True, check=True
    )
    quick, whole = (json.loads(line) for line in done.stdout.splitlines())
    assert whole.keys() - quick.keys() == {"stopped processes"}


def test_without_a_cluster_nothing_is_asked() -> None:
    """`lab verify --carrier here`: sandboxes stand on this machine, and nobody else's network is looked at."""
    carrier = HereCarrier()
    with proof_for(carrier) as proof:
        before = proof.look(whole=True)
        assert proof.left(before) == []
    with pytest.raises(LabError, match="there is no cluster"):
        Proof(carrier)


def test_strangers_are_what_a_fresh_cluster_has_not() -> None:
    """Pods, Services and policies in namespaces of users; nothing that kubeadm and Calico make."""
    system = (
        "Pod of kube-system/DaemonSet kube-proxy on node01", "Pod kube-system/etcd", "Service default/kubernetes",
        "Service kube-system/kube-dns", "EndpointSlice default/kubernetes", "ConfigMap default/kube-root-ca.crt",
        "Node node01", "IPPool default-ipv4-ippool",
    )  # fmt: skip
    users = (
        "Calico NetworkPolicy shop/a", "NetworkPolicy shop/b", "Pod default/duo",
        "Pod of default/ReplicaSet web on node01", "Service default/duo",
    )  # fmt: skip
    assert objects.strangers({name: objects.Known("", "") for name in (*system, *users)}) == list(users)
