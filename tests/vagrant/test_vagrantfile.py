"""What the Vagrantfile defines, as Vagrant itself reads it, is what lab/cluster.yaml describes."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.image.steps import PROVISION
from lab.paths import ROOT
from lab.spec import load_spec
from lab.vagrant import files, tool

TELL = """\
require "json"
load ENV.fetch("WANTED")
class Tell < Vagrant.plugin("2", :command)
  def execute
    provider = ENV.fetch("VAGRANT_DEFAULT_PROVIDER").to_sym
    puts JSON.generate(@env.machine_names.to_h { |name| [name, told(name, provider)] })
    0
  end

  def told(name, provider)
    vm = @env.machine(name, provider).config.vm
    settings = vm.get_provider_config(provider)
    scripts = vm.provisioners.map do |step|
      [step.name, step.type == :shell ? step.config.path : step.config.source, step.run]
    end
    folders = vm.synced_folders.reject { |_, folder| folder[:disabled] }.keys
    {box: vm.box, url: vm.box_url, networks: vm.networks, scripts: scripts, folders: folders,
     memory: settings.memory, cpus: settings.cpus, primary: @env.primary_machine_name == name}
  end
end
class Telling < Vagrant.plugin("2")
  name "tell"
  command("tell") { Tell }
end
"""


def vagrant(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "VAGRANT_HOME": str(cwd / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1",
        "VAGRANT_DOTFILE_PATH": str(cwd / "machines"), "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "LAB_STATE": str(cwd / "state"), **env,
    }  # fmt: skip
    tool.take_plugins(cwd / "home")
    return subprocess.run(["vagrant", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def told(cwd: Path, **env: str) -> dict[str, Any]:
    """What Vagrant read, by the name of the machine."""
    (cwd / "Vagrantfile").write_text(TELL)
    done = vagrant("tell", cwd=cwd, WANTED=str(ROOT / "Vagrantfile"), **env)
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


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
    for found in told(tmp_path, LAB_POOL="lab").values():
        assert found["scripts"][-1][0] == "cluster" and found["scripts"][-1][2] == "never"


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


def test_without_a_box_up_says_how_to_make_one(tmp_path: Path) -> None:
    done = vagrant("up", "node01", cwd=tmp_path, VAGRANT_CWD=str(ROOT))
    assert done.returncode != 0
    assert "There is no box yet. Make it: lab box" in done.stdout + done.stderr


def test_the_catalogue_is_the_one_that_the_lab_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    files.write_box("living-book-4567", tmp_path / "living-book.box")
    assert {found["box"] for found in told(tmp_path).values()} == {"living-book-4567"}
