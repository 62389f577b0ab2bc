"""cluster.yaml is read whole, and every fault is named with its line and field."""

import re
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.image.steps import IMAGE
from lab.spec import CLUSTER_YAML, load_spec

TEXT = CLUSTER_YAML.read_text()


def test_the_shipped_file_is_sound() -> None:
    spec = load_spec()
    assert [node.name for node in spec.nodes] == ["controlplane", "node01", "node02"]
    assert spec.control_plane.address == "192.168.56.10"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("role: worker", "role: boss", r"line \d+: nodes\[1\]\.role: 'boss': the roles are"),
        ("block_size: 26", "block_size: many", r"line \d+: networks\.block_size: 'many' must be a whole number"),
        ("address: 192.168.56.11", "address: 192.168.56.999", r"line \d+: nodes\[1\]\.address: '192.168.56.999'"),
        ("mac: 52:54:00:38:00:0b", "mac: 52:54:00:38:00:0a", r"nodes\.mac: '52:54:00:38:00:0a' is given to two nodes"),
        ("    memory: 768\n", "", r"line \d+: nodes\[1\]\.memory: is missing"),
        ("  dns: 10.96.0.10", "  dnss: 10.96.0.10", r"line \d+: networks\.dnss: is not a field"),
        (
            "kubernetes: v1.37.2",
            "kubernetes: latest",
            r"line \d+: versions\.kubernetes: 'latest': a version looks like",
        ),
        ("role: control-plane", "role: worker", r"exactly one node must have the role control-plane"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TEXT
    path = tmp_path / "cluster.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(LabError) as error:
        load_spec(path)
    assert re.search(told, str(error.value)), str(error.value)


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("name: x\nnodes: [\n")
    with pytest.raises(LabError, match=r"cluster\.yaml, line \d+: not YAML"):
        load_spec(path)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("")
    with pytest.raises(LabError, match="is empty"):
        load_spec(path)


def test_an_unknown_node_is_told_with_those_that_exist() -> None:
    with pytest.raises(LabError, match="there is no node 'node7'") as error:
        load_spec().node("node7")
    assert "controlplane, node01, node02" in str(error.value)


def test_further_workers_go_on_counting() -> None:
    third = load_spec().with_workers(3).nodes[3]
    assert (third.name, third.address, third.mac) == ("node03", "192.168.56.13", "52:54:00:38:00:0d")


@pytest.mark.parametrize("count", [0, 10])
def test_a_senseless_number_of_workers_is_refused(count: int) -> None:
    with pytest.raises(LabError, match=f"{count} workers are not possible"):
        load_spec().with_workers(count)


@pytest.mark.parametrize(
    ("folder", "module", "field"),
    [
        ("kubernetes", "k8s.io/kubernetes", "kubernetes"),
        ("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
        ("coredns", "github.com/coredns/coredns", "coredns"),
        ("cni", "github.com/containernetworking/plugins", "cni_plugins"),
    ],
)
def test_the_go_modules_are_of_the_described_release(folder: str, module: str, field: str) -> None:
    """Cluster.yaml and go.mod name the same release."""
    pins = (IMAGE / folder / "go.mod").read_text()
    version = getattr(load_spec().versions, field)
    assert re.search(rf"^(?:require)?\s+{re.escape(module)} {re.escape(version)}\b", pins, re.MULTILINE)
