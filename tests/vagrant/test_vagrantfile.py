"""What the Vagrantfile defines, as Vagrant itself reads it, is what lab/cluster.yaml describes."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_vagrant import told, vagrant

from lab.carriers.uml import State
from lab.carriers.vagrant import VagrantCarrier, environment
from lab.image.steps import PROVISION
from lab.paths import ROOT
from lab.spec import load_spec
from lab.vagrant import files, others, tool


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("vagrant")
    nodes = folder / "state/vagrant/nodes"
    nodes.mkdir(parents=True)
    for node in load_spec().nodes:
        (nodes / f"{node.name}.tar").touch()
    return told(folder)


def test_vagrant_accepts_it(tmp_path: Path) -> None:
    done = vagrant("validate", cwd=tmp_path, VAGRANT_CWD=str(ROOT))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Vagrantfile validated successfully" in done.stdout


def test_its_machines_are_the_nodes_of_the_description(machines: dict[str, Any]) -> None:
    spec = load_spec()
    assert list(machines) == [node.name for node in spec.nodes]
    for node in spec.nodes:
        found = machines[node.name]
        [[kind, network]] = [entry for entry in found["networks"] if entry[0] != "forwarded_port"]
        assert (kind, network["ip"]) == ("private_network", node.address)
        assert network["libvirt__mac"] == node.mac and network["mac"] == node.mac.replace(":", "")
        assert network["libvirt__host_ip"] == spec.networks.gateway
        assert found["memory"] == node.memory + 512
        assert found["primary"] == (node is spec.control_plane)


def test_the_private_network_is_the_only_one_that_is_asked_for(machines: dict[str, Any]) -> None:
    """Vagrant's own first device stays, for its logins; the cluster never learns its address."""
    for found in machines.values():
        assert [entry[0] for entry in found["networks"]] == ["private_network", "forwarded_port"]
        assert found["networks"][0][1]["auto_config"] is False


def test_the_shell_that_provisions_them_is_the_one_of_the_other_carrier(machines: dict[str, Any]) -> None:
    for name, found in machines.items():
        assert [step[0] for step in found["scripts"]] == ["files", "prepare", "node", "cluster"]
        assert found["scripts"][-1][2] == "once"
        scripts = {step: path for step, path, _ in found["scripts"]}
        assert Path(scripts["node"]) == PROVISION / "node.sh"
        assert Path(scripts["files"]).name == f"{name}.tar"
        for path in (scripts["prepare"], scripts["cluster"]):
            assert Path(path).is_file()


def test_the_lab_makes_the_cluster_itself(tmp_path: Path) -> None:
    """Where `lab up` drives, vagrant leaves the last step to it."""
    for found in told(tmp_path, **environment_of_the_lab()).values():
        assert found["scripts"][-1][0] == "cluster" and found["scripts"][-1][2] == "never"


def environment_of_the_lab() -> dict[str, str]:
    return {name: value for name, value in environment().items() if name.startswith("LAB_")}


def test_a_storage_pool_of_your_own_changes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    for found in told(tmp_path / "pool", LAB_POOL="mine").values():
        assert found["scripts"][-1][0] == "cluster" and found["scripts"][-1][2] == "once"
        assert found["pool"] == "mine"


def test_lab_up_takes_the_box_of_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever box the reader's shell names for plain `vagrant up`."""
    monkeypatch.setattr(VagrantCarrier, "inside", lambda _, command: command)
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    state = State(pid=0, started=1, init=os.getpid(), user="", uid=os.getuid(), workers=2, products={})
    command = VagrantCarrier(load_spec(), state).vagrant()
    command[command.index("vagrant") :] = ["sh", "-c", "echo ${LAB_BOX-none} $LAB_DRIVES $LAB_POOL"]
    done = subprocess.run(
        command, env={**os.environ, "LAB_BOX": "somebody/debian-13"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["none", "1", "lab"]


def test_with_our_box_nothing_is_synchronised(tmp_path: Path) -> None:
    files_of = tmp_path / "state/vagrant"
    files_of.mkdir(parents=True)
    catalogue = {"name": "living-book-0123", "versions": []}
    (files_of / "box.json").write_text(json.dumps(catalogue))
    for found in told(tmp_path).values():
        assert (found["box"], found["folders"]) == ("living-book-0123", [])
        assert ["node", str(PROVISION / "node.sh"), "never"] in found["scripts"], (
            "the box was provisioned when it was made"
        )
        assert found["url"] == [f"file://{files_of}/box.json"]


def test_another_box_gets_the_products_and_downloads_nothing_of_ours(tmp_path: Path) -> None:
    for found in told(tmp_path, LAB_BOX="somebody/debian-13").values():
        assert (found["box"], found["url"]) == ("somebody/debian-13", None)
        assert ["node", str(PROVISION / "node.sh"), "once"] in found["scripts"]
        assert found["folders"] == ["/opt/lab/products"]


def test_machines_of_several_boxes_of_others_are_ours_in_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make test-vagrant-other` starts."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    spec = load_spec()
    boxes = [(others.Other(spec, kind), tmp_path / f"{kind.name}.box") for kind in others.KINDS]
    others.vagrantfile(spec, boxes)
    machines = told(tmp_path, wanted=others.folder() / "Vagrantfile", LAB_BOX="others")
    assert [found["box"] for found in machines.values()] == [step.title for step, _ in boxes]
    assert [found["url"] for found in machines.values()] == [[f"file://{file}"] for _, file in boxes]
    ours = told(tmp_path, LAB_BOX="others")
    for name, found in machines.items():
        for part in ("scripts", "folders", "memory", "cpus", "primary"):
            assert found[part] == ours[name][part]
        assert [network["ip"] for _, network in found["networks"][:1]] == [spec.node(name).address]


# --- what `vagrant up` refuses, before a machine is made --------------------------------


def refused(cwd: Path, *words: str, **env: str) -> str:
    """What `vagrant up` says, which must fail."""
    done = vagrant("up", "node01", *words, cwd=cwd, **{"VAGRANT_CWD": str(ROOT), **env})
    assert done.returncode != 0
    return done.stdout + done.stderr


def lay_down(cwd: Path, *names: str) -> None:
    """Files of what `lab box` lays down."""
    for name in names:
        path = cwd / "state/vagrant" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"name": "living-book-0123", "versions": []}')


@pytest.fixture
def virtualbox(tmp_path: Path) -> dict[str, str]:
    """The environment with a VirtualBox that is of a version and does nothing."""
    program = tmp_path / "bin/VBoxManage"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 7.0.10r158379\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_without_a_box_up_says_how_to_make_one(tmp_path: Path) -> None:
    assert "There is no box yet. Make it: lab box" in refused(tmp_path)


def test_without_the_files_of_the_nodes_up_says_how_to_lay_them_down(tmp_path: Path) -> None:
    lay_down(tmp_path, "box.json")
    said = refused(tmp_path)
    assert "What the nodes are given is not there yet. Lay it down: lab box --files" in said
    assert "lab box --files" in tool.explain(said, "vagrant up", tmp_path).hint


@pytest.mark.parametrize("there", [(), ("nodes/mark.json",), ("products/pause.tar",)])
def test_another_box_without_what_it_is_given(tmp_path: Path, there: tuple[str, ...]) -> None:
    """Before the box is fetched, which may take long."""
    lay_down(tmp_path, *there)
    said = refused(tmp_path, LAB_BOX="somebody/debian-13")
    assert "What another box is given is not there yet. Lay it down: lab box --other" in said
    assert "somebody/debian-13' could not be found" not in said


def test_our_box_is_not_for_virtualbox(tmp_path: Path, virtualbox: dict[str, str]) -> None:
    lay_down(tmp_path, "box.json", "nodes/mark.json")
    said = refused(tmp_path, "--provider=virtualbox", **virtualbox)
    assert "Our box is for libvirt." in said and "LAB_BOX=NAME vagrant up --provider=virtualbox" in said


@pytest.mark.parametrize(
    ("network", "allowed", "fine"),
    [
        ("192.168.56.", None, True),
        ("10.20.30.", None, False),
        ("10.20.30.", "# of this host\n* 10.0.0.0/8 192.168.56.0/21\n", True),
        ("10.20.30.", "* 10.20.31.0/24\n10.20.30.0/24\n", False),
    ],
)
def test_a_network_that_virtualbox_does_not_allow(
    tmp_path: Path, virtualbox: dict[str, str], network: str, allowed: str | None, fine: bool
) -> None:
    """Is told with the line to write; one that is allowed goes on to the box, which is not there."""
    lay_down(tmp_path, "nodes/mark.json", "products/pause.tar")
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/cluster.yaml").write_text((ROOT / "lab/cluster.yaml").read_text().replace("192.168.56.", network))
    ranges = tmp_path / "networks.conf"
    (tmp_path / "Vagrantfile").write_text(
        (ROOT / "Vagrantfile").read_text().replace("/etc/vbox/networks.conf", str(ranges))
    )
    if allowed is not None:
        ranges.write_text(allowed)
    box = f"file://{tmp_path}/nowhere.box"
    said = refused(tmp_path, "--provider=virtualbox", VAGRANT_CWD=str(tmp_path), LAB_BOX=box, **virtualbox)
    told = f"VirtualBox does not allow the nodes' network {network}0/24. Add this line to {ranges}"
    assert (told in said and f"\n* {network}0/24\n" in said) is not fine
    assert ("nowhere.box" in said) is fine


def test_the_catalogue_is_the_one_that_the_lab_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    files.write_box("living-book-4567", tmp_path / "living-book.box")
    assert {found["box"] for found in told(tmp_path).values()} == {"living-book-4567"}
