"""The carrier on virtual machines, without any: what is laid down, what is asked, what is said of failures."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import yaml
from click.testing import CliRunner
from fakes import FakeCarrier, FakeClock

from lab import calico, carriers, doctor, kubeadm, ready
from lab.carriers import uml
from lab.carriers.uml import State
from lab.carriers.vagrant import VagrantCarrier, state_file
from lab.cli import main
from lab.errors import LabError
from lab.image.steps import PROVISION
from lab.node import Node
from lab.snippets import select
from lab.spec import NodeSpec, load_spec
from lab.vagrant import box, files, lifecycle, mirror, others, report, tool

SPEC = load_spec()
TOKEN = "abcdef.0123456789abcdef"
HASH = "sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that no machines run in."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LAB_CARRIER", "vagrant")
    return tmp_path / "state"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A `vagrant` on the PATH that says what the test wants, and fails."""

    def make(says: str, status: int = 1) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "vagrant"
        (folder / "words").write_text(says)
        program.write_text(f'#!/bin/sh\necho "$@" >>{folder}/asked\ncat {folder}/words\nexit {status}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return folder / "asked"

    return make


def failure(**options: Any) -> LabError:
    with pytest.raises(LabError) as caught:
        tool.run(["vagrant", "up"], what="vagrant up", log=files.folder() / "vagrant.log", limit=20, **options)
    return caught.value


# --- what kubeadm is told ---------------------------------------------------------


def test_what_kubeadm_is_told_on_the_other_carrier_does_not_change() -> None:
    plain, patient = (
        [kubeadm.init_config(SPEC, TOKEN, **more), kubeadm.join_config(SPEC, SPEC.workers[0], TOKEN, HASH, **more)]
        for more in ({}, {"patience": kubeadm.PATIENCE})
    )
    assert plain == patient
    limits = "timeouts:\n" + "".join(f"  {name}: {limit}\n" for name, limit in kubeadm.PATIENCE.items())
    assert all(limits in text for text in plain)
    assert kubeadm.PATIENCE == {
        "controlPlaneComponentHealthCheck": "8m0s", "discovery": "8m0s", "kubeletHealthCheck": "8m0s",
        "kubernetesAPICall": "3m0s", "tlsBootstrap": "8m0s",
    }  # fmt: skip


def test_a_virtual_machine_only_gets_longer_limits() -> None:
    """Nothing of the cluster is another: no check is left out, no certificate, no probe."""
    worker = SPEC.workers[0]
    for plain, patient in (
        (kubeadm.init_config(SPEC, TOKEN), kubeadm.init_config(SPEC, TOKEN, patience=files.PATIENCE)),
        (
            kubeadm.join_config(SPEC, worker, TOKEN, HASH),
            kubeadm.join_config(SPEC, worker, TOKEN, HASH, patience=files.PATIENCE),
        ),
    ):
        before, after = list(yaml.safe_load_all(plain)), list(yaml.safe_load_all(patient))
        assert before[0].pop("timeouts") == kubeadm.PATIENCE
        assert after[0].pop("timeouts") == files.PATIENCE
        assert before == after
    assert set(files.PATIENCE) == set(kubeadm.PATIENCE)
    assert {"name": "node-ip", "value": worker.address} in after[0]["nodeRegistration"]["kubeletExtraArgs"]


@pytest.mark.parametrize("patch", [*kubeadm.static_pod_patches().values(), kubeadm.coredns_patch(SPEC, "172.16.49.65")])
def test_a_probe_there_only_gets_longer_limits(patch: str) -> None:
    """What is asked, and how often, stays."""
    before, after = yaml.safe_load(patch), yaml.safe_load(files.patient(patch))
    pods = [document["spec"].get("template", document)["spec"] for document in (before, after)]
    [plain], [patient] = (pod["containers"] for pod in pods)
    assert patient["livenessProbe"]["failureThreshold"] == files.PROBE_FAILURES
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = patient.get(kind, {})
        assert probe.pop("timeoutSeconds", files.PROBE_SECONDS) == files.PROBE_SECONDS
        assert probe.pop("failureThreshold", files.PROBE_FAILURES) >= files.PROBE_FAILURES
        plain.get(kind, {}).pop("failureThreshold", None)
        assert probe == plain.get(kind, {})
        patient[kind] = plain[kind] = None
    assert before == after


def test_what_has_no_probe_gets_none() -> None:
    """A manifest of upstream names all its probes: only those are changed, and no other object."""
    text = (
        "{kind: ConfigMap, data: {a: b}}\n---\n{kind: DaemonSet, spec: {template: {spec: {containers: "
        "[{name: a, image: b, readinessProbe: {timeoutSeconds: 1}}]}}}}"
    )
    plain, patient = list(yaml.safe_load_all(text)), list(yaml.safe_load_all(files.patient(text)))
    assert plain[0] == patient[0]
    [container] = patient[1]["spec"]["template"]["spec"]["containers"]
    assert container == {
        "name": "a", "image": "b",
        "readinessProbe": {"timeoutSeconds": files.PROBE_SECONDS, "failureThreshold": files.PROBE_FAILURES},
    }  # fmt: skip


def test_only_an_emulated_processor_makes_limits_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only on the carrier that emulates."""
    for carrier, kvm, times in (("vagrant", False, tool.EMULATED), ("vagrant", True, 1.0), ("uml", False, 1.0)):
        monkeypatch.setenv("LAB_CARRIER", carrier)
        monkeypatch.setattr(tool, "kvm", lambda kvm=kvm: kvm)
        assert carriers.patience() == times


def test_what_is_waited_for_may_take_longer_there(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carriers, "patience", lambda: 3.0)
    fake = FakeCarrier()
    fake.on("node01", "false", status=1)
    with pytest.raises(LabError, match="waited 6 s in vain"):
        Node("node01", fake).wait_until("false", timeout=2)


# --- what a machine is given ------------------------------------------------------


def test_a_machine_finds_its_node_by_its_mac() -> None:
    rows = [line.split() for line in box.node_table(SPEC).splitlines()]
    assert [row[0] for row in rows] == [node.mac for node in SPEC.nodes]
    assert rows[1][1:] == ["node01", "192.168.56.11", "24", "192.168.56.1"]
    assert box.hosts(SPEC).splitlines()[0] == "127.0.0.1 localhost"


def archive(
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    manifest: Callable[..., str] = lambda spec, kubectl: "kind: DaemonSet\n",
) -> dict[str, tuple[str, int]]:
    """The files of a node's archive, with their modes."""
    folder = tmp_path / "nodes"
    keys = folder / name
    keys.mkdir(parents=True)
    (folder / "pki").mkdir()
    for file in (keys / "ssh_host_ed25519_key", keys / "ssh_host_ed25519_key.pub", keys / "authorized_keys"):
        file.write_text(f"{file.name} of {name}\n")
    for file in ("ca.crt", "ca.key"):
        (folder / "pki" / file).write_text(f"{file}\n")

    class Making:
        spec = SPEC

        def __init__(self) -> None:
            self.products = {"programs": tmp_path}

        def _fixed_addresses(self) -> tuple[str, str]:
            return "172.16.49.66", "172.16.49.67"

    monkeypatch.setattr(files.calico, "manifest", manifest)
    files._write_archive(Making(), SPEC.node(name), folder, TOKEN, HASH)  # type: ignore[arg-type]
    assert (folder / f"{name}.tar").stat().st_mode & 0o777 == 0o600
    with tarfile.open(folder / f"{name}.tar") as tar:
        return {
            entry.name: (tar.extractfile(entry).read().decode(), entry.mode)  # type: ignore[union-attr]
            for entry in tar
        }


def test_a_node_gets_the_files_of_the_other_carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = archive(tmp_path, "node01", monkeypatch)
    for path in (p for p in (PROVISION / "files").rglob("*") if p.is_file()):
        assert found[str(path.relative_to(PROVISION / "files"))][0] == path.read_text()
    assert found["opt/lab/provision/cluster.sh"][0] == (PROVISION / "worker.sh").read_text()
    assert HASH in found["etc/lab/kubeadm.yaml"][0]
    assert found["usr/local/sbin/lab-vm"][1] == 0o755


def test_only_the_control_plane_gets_the_key_of_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = archive(tmp_path / "worker", "node02", monkeypatch)
    assert not [name for name in worker if "pki" in name]
    main_node = archive(tmp_path / "main", "controlplane", monkeypatch)
    assert main_node["opt/lab/pki/ca.key"] == ("ca.key\n", 0o600)
    assert main_node["opt/lab/provision/cluster.sh"][0] == (PROVISION / "control-plane.sh").read_text()
    for secret in ("etc/lab/kubeadm.yaml", "etc/ssh/ssh_host_ed25519_key", "root/.ssh/authorized_keys"):
        assert main_node[secret][1] == 0o600


@pytest.mark.parametrize("node", SPEC.nodes, ids=lambda node: node.name)
def test_the_kubelet_is_told_the_address_on_the_private_network(
    node: NodeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the control plane too: else it takes that of the device by which Vagrant logs in."""
    documents = list(yaml.safe_load_all(archive(tmp_path, node.name, monkeypatch)["etc/lab/kubeadm.yaml"][0]))
    kind = "InitConfiguration" if node is SPEC.control_plane else "JoinConfiguration"
    [registration] = [document["nodeRegistration"] for document in documents if document["kind"] == kind]
    told = [each["value"] for each in registration["kubeletExtraArgs"] if each["name"] == "node-ip"]
    assert told == [node.address]


def test_calico_takes_the_address_on_the_private_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the control plane applies: upstream's manifest is not needed for it, kubectl stands for its own merging."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/calico.yaml").write_text("kind: CustomResourceDefinition\n")
    monkeypatch.setattr(calico, "module_folder", lambda *_: tmp_path)
    (tmp_path / "kubectl").write_text(
        f"#!{sys.executable}\nimport sys, yaml\nfolder = sys.argv[2]\n"
        "patches = yaml.safe_load(open(f'{folder}/kustomization.yaml'))['patches']\n"
        "documents = [open(f'{folder}/calico.yaml').read(), *(each['patch'] for each in patches)]\n"
        "print('\\n---\\n'.join(documents))\n"
    )
    (tmp_path / "kubectl").chmod(0o755)
    found = archive(tmp_path, "controlplane", monkeypatch, manifest=calico.manifest)["etc/lab/calico.yaml"][0]
    [pods] = [
        document["spec"]["template"]["spec"]
        for document in yaml.safe_load_all(found) if document["kind"] == "DaemonSet"
    ]  # fmt: skip
    [told] = [
        each["value"]
        for container in pods["containers"] if container["name"] == "calico-node"
        for each in container["env"] if each["name"] == "IP_AUTODETECTION_METHOD"
    ]  # fmt: skip
    assert told.startswith("cidr=")
    network = ip_network(told.removeprefix("cidr="))
    assert all(ip_address(node.address) in network for node in SPEC.nodes)
    for logins in ("192.168.121.2", "10.0.2.15"):  # where libvirt and VirtualBox let Vagrant in
        assert ip_address(logins) not in network


# --- failures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "told", "hint"),
    [
        ("The provider 'libvirt' could not be found, but was requested to\nback the machine.", "its plugin is missing",
         "vagrant plugin install vagrant-libvirt"),
        ("Vagrant could not detect VirtualBox! Make sure VirtualBox is properly installed.\nVagrant uses the",
         "VirtualBox is not installed", "--provider=libvirt"),
        ('The "VBoxManage" command or one of its dependencies could not\nbe found. Please verify VirtualBox',
         "VirtualBox is not installed", "--provider=libvirt"),
        ("No usable default provider could be found for your system.\n\nVagrant relies on interactions with",
         "finds no provider", "vagrant plugin install vagrant-libvirt"),
        ("The specified wait_for timeout (2 seconds) was exceeded (Fog::Errors::TimeoutError)", "has no address",
         "--fresh"),
        ("The IP address configured for the host-only network is not within the\nallowed ranges. Please update",
         "VirtualBox refuses the nodes' private network", "/etc/vbox/networks.conf"),
        ("There is no box yet. Make it: lab box.", "there is no box", "lab box"),
        ("The box 'living-book' could not be found or\ncould not be accessed", "there is no box", "lab box"),
        ("this box is Debian GNU/Linux 12 (bookworm), and the nodes are Debian 13; name one", "not Debian 13",
         "LAB_BOX="),
        ("Timed out while waiting for the machine to boot. This means that", "did not become reachable", "lab up"),
        ("SSH authentication failed! This is typically caused by the", "refuses Vagrant's ssh key", "--fresh"),
        ("Error while connecting to Libvirt: Call to virConnectOpen failed", "libvirt does not answer",
         "lab doctor --carrier vagrant"),
        ("What the nodes are given is not there yet.", "not laid down yet", "lab box --files"),
        ("No space left on device", "the disk is full", "LAB_STATE="),
        ("something that nobody foresaw", "vagrant failed", "whole log"),
    ],
)  # fmt: skip
def test_each_failure_of_vagrant_is_told_with_the_next_command(fake: Any, says: str, told: str, hint: str) -> None:
    fake(says)
    error = failure()
    assert error.summary.startswith("vagrant up: ") and told in error.summary
    assert says.splitlines()[0] in error.detail
    assert hint in error.hint


def test_what_every_first_start_says_is_no_failure(fake: Any) -> None:
    """The box is looked for in vain before it is added; what failed came later."""
    fake(
        "==> node01: Box 'living-book-0' could not be found. Attempting to find and install...\nNo space left on device"
    )
    assert failure().summary == "vagrant up: the disk is full"


def test_a_missing_vagrant_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure()
    assert "the program vagrant is missing" in error.summary and "lab doctor --carrier vagrant" in error.hint


def test_vagrant_that_does_not_end_is_ended(fake: Any, tmp_path: Path) -> None:
    fake("")
    program = tmp_path / "bin/vagrant"
    program.write_text("#!/bin/sh\necho begun\nsleep 60\n")
    with pytest.raises(LabError, match="no end within 1 s") as caught:
        tool.run(["vagrant", "up"], what="vagrant up", log=tmp_path / "log", limit=1)
    assert "begun" in caught.value.detail


def test_what_vagrant_tells_of_its_progress_is_passed_on(fake: Any, tmp_path: Path) -> None:
    fake("==> node01: Starting domain.\n    node01: detail\n==> node01: Progress: 10%\n", status=0)
    heard: list[str] = []
    tool.run(["vagrant", "up"], what="vagrant up", log=tmp_path / "log", limit=20, say=heard.append)
    assert heard == ["node01: Starting domain."]
    assert "Progress" not in (tmp_path / "log").read_text()


def test_missing_packages_are_named_only_for_this_carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(tool, "has_plugin", lambda: False)
    monkeypatch.setattr(tool, "unpackaged", lambda: [])
    machines = doctor.packages(build=False, machines=True)
    assert {"vagrant", "vagrant-libvirt", "libvirt-daemon-system", "qemu-system-x86"} <= set(machines)
    assert "vagrant" not in doctor.packages(build=False)
    assert "qemu-utils" not in machines and "qemu-utils" in doctor.packages(build=True, machines=True)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A host with an apt that has only some packages, and nothing of Vagrant's but what is named."""

    def make(*has: str, there: tuple[str, ...] = (), lists: bool = True) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        known = "|".join((*has, "nothing-else"))
        (folder / "apt-cache").write_text(
            f'#!/bin/sh\ncase "$2" in {known}) echo "Package: $2";; *) echo "E: none found" >&2; exit 100;; esac\n'
        )
        (folder / "apt-cache").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        which = tool.shutil.which
        monkeypatch.setattr(
            tool.shutil, "which",
            lambda name, **more: which(name, **more) if name != "vagrant" else name if name in there else None,
        )  # fmt: skip
        monkeypatch.setattr(tool, "has_plugin", lambda: tool.PLUGIN in there)
        monkeypatch.setattr(tool, "APT_LISTS", tmp_path / "lists")
        (tmp_path / "lists").mkdir()
        if lists:
            (tmp_path / "lists/mirror_dists_noble_main_binary-amd64_Packages.lz4").touch()

    return make


def test_a_host_whose_apt_has_no_vagrant_is_told_where_it_is(apt: Callable[..., None]) -> None:
    """Ubuntu 24.04: no command is printed that fails, neither for a reader nor for the script that installs."""
    apt("libvirt-daemon-system")
    findings = doctor.examine(build=False, machines=True)
    [found] = [each for each in findings if "no such package" in each.what]
    assert found.what.endswith("vagrant, vagrant-libvirt")
    assert found.repair == f"install Vagrant as {tool.INSTALL} says, then: vagrant plugin install vagrant-libvirt"
    assert not [each for each in findings if "apt-get" in each.repair and "vagrant" in each.repair]
    assert not {"vagrant", "vagrant-libvirt"} & set(doctor.packages(build=True, machines=True))


def test_with_vagrant_of_its_maker_only_the_plugin_is_missing(apt: Callable[..., None]) -> None:
    apt(there=("vagrant",))
    [found] = [each for each in doctor.examine(build=False, machines=True) if "no such package" in each.what]
    assert found.repair == "vagrant plugin install vagrant-libvirt"


@pytest.mark.parametrize("lists", [True, False])
def test_what_apt_has_is_installed_by_it(apt: Callable[..., None], lists: bool) -> None:
    """Also where it was never asked what there is: then its lists are fetched first."""
    apt(*(("vagrant", "vagrant-libvirt") if lists else ()), lists=lists)
    assert tool.unpackaged() == []
    [found] = [each for each in doctor.examine(build=False, machines=True) if "packages are missing" in each.what]
    assert "apt-get install" in found.repair and "vagrant vagrant-libvirt" in found.repair


def test_make_leaves_the_tests_of_vagrant_out_and_says_why(tmp_path: Path) -> None:
    """Only where they cannot be run; else they are."""
    for name, does in (("python", "cat why"), ("pytest", "echo tests of $2 run"), ("vagrant", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{does}\n")
        (tmp_path / name).chmod(0o755)
    said = []
    for why in (f"apt has no package vagrant: install Vagrant as {tool.INSTALL} says\n", ""):
        (tmp_path / "why").write_text(why)
        done = subprocess.run(
            ["make", "--no-print-directory", "test-vagrantfile", f"BIN={tmp_path}"],
            cwd=report.ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "MAKEFLAGS": ""},
        )  # fmt: skip
        said.append(done.stdout)
    assert said == [
        f"tests/vagrant are left out: apt has no package vagrant: install Vagrant as {tool.INSTALL} says\n",
        "tests of tests/vagrant run\n",
    ]


def test_make_is_told_what_keeps_it_from_installing_vagrant(apt: Callable[..., None]) -> None:
    apt()
    install = f"install Vagrant as {tool.INSTALL} says, then: vagrant plugin install vagrant-libvirt"
    assert tool.obstacle() == f"apt has no package vagrant and no package vagrant-libvirt; {install}"


def test_make_is_told_nothing_where_apt_has_it(apt: Callable[..., None]) -> None:
    apt("vagrant", "vagrant-libvirt")
    assert tool.obstacle() == ""


def test_doctor_names_the_plugin_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "has_plugin", lambda: False)
    monkeypatch.setattr(tool, "unpackaged", lambda: [])
    done = CliRunner().invoke(main, ["doctor", "--carrier", "vagrant"])
    assert done.exit_code == 1
    assert "apt-get install" in done.output and "vagrant-libvirt" in done.output


def test_a_plugin_that_vagrant_installed_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "PLUGIN", "vagrant-of-this-test")
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    assert not tool.has_plugin()
    (tmp_path / "plugins.json").write_text(json.dumps({"installed": {"vagrant-of-this-test": {}}}))
    assert tool.has_plugin()
    tool.take_plugins(tmp_path / "own")
    assert "vagrant-of-this-test" in (tmp_path / "own/plugins.json").read_text()
    assert not (tmp_path / "own/gems").exists()


def test_without_root_up_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle.os, "getuid", lambda: 1000)
    with pytest.raises(LabError, match="wants root") as caught:
        lifecycle.up(lambda _: None)
    assert "sudo" in caught.value.hint and "vagrant up" in caught.value.hint


def test_another_number_of_workers_is_refused() -> None:
    with pytest.raises(LabError, match=r"those of lab/cluster\.yaml"):
        lifecycle.up(lambda _: None, workers=5)


def carrier(tmp_path: Path) -> VagrantCarrier:
    """Machines that the tests speak for."""
    return VagrantCarrier(
        SPEC, State(pid=0, started=1, init=os.getpid(), user="", uid=os.getuid(), workers=2, products={})
    )


def test_a_machine_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = carrier(tmp_path)
    answer = uml.Completed(0, "debian 13\nKubernetes v1.30.0\n", "", 0.1)
    monkeypatch.setattr(VagrantCarrier, "execute", lambda *_, **__: answer)
    with pytest.raises(
        LabError, match=r"controlplane is of another version: debian 13, Kubernetes v1\.30\.0"
    ) as caught:
        lifecycle._check_version(other)
    assert SPEC.versions.kubernetes in caught.value.detail and "--fresh" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "told", "hint"),
    [
        ("root@192.168.56.11: Permission denied (publickey).", "node01 refuses the lab's ssh key", "--fresh"),
        ("ssh: connect to host 192.168.56.11 port 22: No route to host", "node01: ssh did not answer", "console"),
    ],
)
def test_a_node_that_cannot_be_logged_in_to_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str, hint: str
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 255\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(VagrantCarrier, "inside", lambda _, command: [str(word) for word in command])
    monkeypatch.setattr(State, "kernel_alive", lambda *_: True)
    with pytest.raises(LabError, match=told) as caught:
        carrier(tmp_path).connect("node01", timeout=0.3)
    assert said in caught.value.detail and hint in caught.value.hint


def test_without_machines_every_command_says_how_to_start_them() -> None:
    for words in (["ssh", "node01"], ["kubectl", "--", "get", "pods"], ["shell"]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 1
        assert "no virtual machines run" in done.output and "lab up --carrier vagrant" in done.output


def test_down_without_machines_says_so_and_chooses_nothing(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_CARRIER")
    carriers.remember("vagrant")
    done = CliRunner().invoke(main, ["down"])
    assert (done.exit_code, done.output) == (0, "no virtual machines are running\n")
    assert carriers.chosen() == "uml"


def test_status_of_machines_that_never_ran() -> None:
    done = CliRunner().invoke(main, ["status"])
    assert (done.exit_code, done.output.splitlines()[0]) == (0, "vagrant: down")


def test_the_state_of_the_machines_is_not_that_of_the_other_carrier(own_state: Path) -> None:
    state = State(pid=1, started=2, init=3, user="", uid=os.getuid(), workers=2, products={})
    uml.save_state(state, state_file())
    assert uml.load_state() is None
    assert uml.load_state(state_file()) == state
    assert state_file() == own_state / "vagrant/state.json"


def test_a_slower_carrier_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(ready.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(ready.time, "sleep", lambda _: None)

    class Up:
        spec, folder = SPEC, Path("/nowhere")

        def alive(self, node: str) -> bool:
            return True

    never = ready.Condition("it is so", 30, lambda *_: "not yet")
    with pytest.raises(LabError, match="not within 30 s"):
        ready.wait(Up(), never, {})  # type: ignore[arg-type]
    with pytest.raises(LabError, match="not within 120 s"):
        ready.wait(Up(), never, {}, patience=4)  # type: ignore[arg-type]


# --- the disk -----------------------------------------------------------------------


def test_the_disk_starts_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first sector is GRUB's, with a table of one active Linux partition that begins at the first MiB."""
    grub = tmp_path / "grub"
    grub.mkdir()
    (grub / "boot.img").write_bytes(b"B" * 512)
    program = tmp_path / "grub-mkimage"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nprintf CORE >"$2"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(box, "GRUB", grub)
    part, raw = tmp_path / "part.img", tmp_path / "disk.img"
    part.write_bytes(b"P" * 4096)
    box._whole_disk(part, raw, box.GRUB_CONFIG, tmp_path / "log")
    data = raw.read_bytes()
    assert data[:440] == b"B" * 440 and data[510:512] == b"\x55\xaa" and data[512:516] == b"CORE"
    assert data[446] == 0x80 and data[450] == 0x83
    assert int.from_bytes(data[454:458], "little") * 512 == box.MIB
    assert int.from_bytes(data[458:462], "little") == 8
    assert data[box.MIB :] == b"P" * 4096


def test_the_box_is_made_of_what_the_nodes_are_made_of() -> None:
    root, whole = box.box_steps(SPEC)
    assert [step.name for step in whole.needs] == ["kernel", "kubernetes", "calico", "cni", "images", "box-root"]
    assert root in whole.needs
    assert PROVISION / "node.sh" in list(whole.inputs())
    assert "box" not in [step.name for step in box.all_steps(SPEC)], "`lab build` does not make it"


# --- the report -----------------------------------------------------------------------


def ran(
    *lines: str,
    found: dict[str, Any] | None = None,
    wanted: int = 0,
    alone: dict[str, Any] | None = None,
    wanted_alone: int = 1,
    journey: report.Journey = report.OURS,
    **values: Any,
) -> report.Run:
    """A run; unless the test says otherwise, what `vagrant up` made alone gave the book's outputs."""
    run = report.Run(begun=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), kvm=False, versions={"QEMU": "7.2"}, **values)
    run.compared = journey.compared(["cluster_ip"])
    first, second = run.compared
    first.found, first.wanted = found or {}, wanted
    second.found = compared(affinity="unchanged") if alone is None else alone
    second.wanted = wanted_alone
    for line in lines:
        run.hear(line)
    return run


def test_a_run_that_did_not_end_says_how_far_it_came() -> None:
    run = ran(
        "vagrant up, 3 machines ...", "node01: Starting domain.", "vagrant up, 3 machines: 200.5 s", "kubeadm init ...",
        alone={},
    )  # fmt: skip
    run.error = f"no end within 75 minutes: {Path.home()}/x and {report.ROOT}/y"
    run.state = {"node01: uptime": "up 3 min\n"}
    text = report.page(run)
    assert "| vagrant up, 3 machines | 200.5 |\n| kubeadm init | did not end |" in text
    assert "ended at the step “kubeadm init”" in text and "No output was compared." in text
    assert "no end within 75 minutes: ~/x and ./y" in text and "up 3 min" in text
    assert not run.good and str(Path.home()) not in text


def test_a_run_is_good_when_every_output_is_the_books() -> None:
    snippets = [{"snippet": "pod_to_pod/mtu", "result": "unchanged", "findings": [], "difference": "", "error": ""}]
    counts = {"all": 1, "unchanged": 1, "changed": 0, "failed": 0}
    run = ran(found={"counts": counts, "snippets": snippets}, wanted=1)
    assert run.good
    text = report.page(run)
    assert "1 of 1 outputs that were compared were the book's" in text and "noise: pod_to_pod/mtu." in text
    assert not ran(found={"counts": counts, "snippets": snippets}, wanted=1, alone={}).good
    run = ran(found={"counts": counts, "snippets": snippets}, wanted=3)
    assert not run.good
    assert "2 more could not be compared within the limit" in report.page(run)


def test_a_run_goes_on_with_what_an_interrupted_one_had_measured(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "    1.5 vagrant up, 3 machines ...\n   90.0 vagrant up, 3 machines: 88.5 s\n   95.0 kubeadm init ...\n"
    )
    run = ran()
    assert 95 <= report._recall(run, log) < 155
    assert run.steps == [("vagrant up, 3 machines", 88.5)] and run.unfinished == "kubeadm init"
    assert report._recall(ran(), tmp_path / "none") == 0


def compared(**results: str) -> dict[str, Any]:
    """The report of `lab verify` about snippets of one chapter, by what each came to."""
    snippets = [
        {
            "snippet": f"cluster_ip/{name}", "result": result, "error": "",
            "findings": [] if result == "unchanged" else [{"sentence": "node01 lost a route"}],
            "difference": "" if result == "unchanged" else "-old\n+new\n",
        }
        for name, result in results.items()
    ]  # fmt: skip
    counts = {word: list(results.values()).count(word) for word in ("unchanged", "changed", "failed")}
    return {"counts": {"all": len(snippets), **counts}, "snippets": snippets}


def test_an_output_that_differs_is_shown_with_its_meaning() -> None:
    run = ran(found=compared(dns="changed"), wanted=1, commit="0123456789abcdef")
    assert not run.good, "not listed: bad"
    text = report.page(run)
    assert "### cluster_ip/dns: changed" in text and "- node01 lost a route" in text and "+new" in text
    assert "It compared the captures of commit 0123456789ab." in text


def test_the_cluster_of_vagrant_up_alone_is_told_and_counts() -> None:
    alone = compared(dns="changed", affinity="unchanged")
    run = ran(found=compared(dns="unchanged"), wanted=1, alone=alone, wanted_alone=3)
    assert not run.good
    text = report.page(run)
    assert (
        "Then a plain `vagrant up` made it once more, on new machines; "
        "1 of 2 outputs that were compared were the book's, 1 more could not be compared within the limit.\n" in text
    )
    _, title, part = text.partition("## Differences of the cluster that `vagrant up` made alone")
    assert title and "### cluster_ip/dns: changed" in part and "noise: cluster_ip/affinity." in part


def test_an_output_that_must_differ_is_good_and_shown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "DIFFERS", {"cluster_ip/dns": "a virtual machine has another clock"})
    run = ran(found=compared(dns="changed", affinity="unchanged"), wanted=2)
    assert run.good, "listed: good"
    text = report.page(run)
    assert "1 of 2 outputs that were compared were the book's, 1 was another as it must be" in text
    assert "### cluster_ip/dns: another, as it must be\n\nThe reason: a virtual machine has another clock." in text
    assert "-old\n+new" in text


@pytest.mark.parametrize(
    "results", [{"dns": "unchanged"}, {"dns": "failed"}, {"dns": "changed", "affinity": "changed"}]
)
def test_exactly_what_is_listed_must_differ(results: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is equal after all, one that failed, and another one beside it: none of them is good."""
    monkeypatch.setattr(report, "DIFFERS", {"cluster_ip/dns": "a virtual machine has another clock"})
    run = ran(found=compared(**results), wanted=len(results))
    assert not run.good
    listed_in_vain = "Equal, and listed as what must be another: cluster_ip/dns." in report.page(run)
    assert listed_in_vain == (results == {"dns": "unchanged"})


def test_what_must_differ_are_snippets_of_the_book() -> None:
    """An empty list is one, too; a name that is nobody's would be asked for in vain."""
    assert set(report.DIFFERS) <= {snippet.name for snippet in select([])}
    assert all(report.DIFFERS.values())


class Machines:
    """In the place of the carrier: it only says what it would call."""

    def __init__(self, *_: Any) -> None:
        self.enter = self.save = lambda: None

    @classmethod
    def create(cls, *_: Any) -> "Machines":
        return cls()

    @classmethod
    def running(cls) -> "Machines":
        return cls()

    def vagrant(self, *words: str, alone: bool = False, **others: str) -> list[str]:
        return [*others.values(), "plain" if alone else "vagrant", *words]


class FakeLab:
    """The command `lab` of a run, which answers as the lab would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **fails: str) -> None:
        self.asked: list[str] = []
        self.fails, self.number = fails, "one"
        monkeypatch.setattr(report, "_lab", self)
        self.members = ["controlplane", "node01", "node02"]
        monkeypatch.setattr(report.tool, "run", self.run)
        monkeypatch.setattr(report, "_state", lambda: None)
        monkeypatch.setattr(report, "VagrantCarrier", Machines)

    def run(self, command: list[str], **_: Any) -> str:
        """Vagrant, which makes another cluster when it is to make one alone."""
        line = " ".join(command)
        self.asked.append(line)
        if line == "plain up":
            self.number = "two"
        told = [f"node/{name}" for name in self.members] if "kubectl" in line else []
        return "\n".join([self.fails.get(line, ""), *told])

    def __call__(self, words: list[str], **_: Any) -> tuple[int, str]:
        line = " ".join(words)
        self.asked.append(line)
        if words[0] in self.fails:
            return 1, self.fails[words[0]]
        if words[0] == "verify":
            [file] = [word.removeprefix("--json=") for word in words if word.startswith("--json=")]
            Path(file).write_text(json.dumps(compared(dns="unchanged")))
        return 0, self.number if "{.metadata.uid}" in line else report.COMMANDS.get(line, "")


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A whole run without machines, which must exit with a status; returns its page."""
    monkeypatch.setattr(report, "_cluster", lambda *_, **__: None)
    monkeypatch.setattr(report, "_look", lambda _: None)
    monkeypatch.setattr(report, "_versions_here", lambda: {})
    monkeypatch.setattr(report.lifecycle, "delete", lambda _: None)
    monkeypatch.setattr(report.signal, "signal", lambda *_: None)

    def go(*words: str, status: int) -> str:
        journey = report.OTHERS if "--other" in words else report.OURS
        page = tmp_path / journey.page
        page.parent.mkdir(parents=True)
        monkeypatch.setattr(report, "ROOT", tmp_path)
        monkeypatch.setattr(sys, "argv", ["report", "--chapters", "cluster_ip/dns", *words])
        with pytest.raises(SystemExit) as caught:
            report.main()
        assert caught.value.code == status
        return page.read_text()

    return go


def test_after_the_comparison_it_lives_on(whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Down, up, one node anew, and every command of a reader: each has its row."""
    lab = FakeLab(monkeypatch)
    page = whole(status=0)
    changes = [line for line in lab.asked if line.split()[0] in ("verify", "down", "up", "vagrant", "plain")]
    assert [line.split(" -")[0] for line in changes] == [
        "verify", "down", "up", "vagrant reload node02", "up",
        "plain destroy", "plain up", "plain up", "plain ssh controlplane", "up", "verify",
    ]  # fmt: skip
    assert "cluster_ip/dns" in changes[0] and "cluster_ip/dns" in changes[-1]
    rows = re.findall(r"^\| (.+) \| [\d.]+ \|$", page, re.MULTILINE)
    assert rows == [
        "lab verify", "lab down", "lab up, the cluster kept", "vagrant reload node02, and ready again",
        *(f"lab {words}" for words in report.COMMANDS),
        "plain vagrant destroy", "plain vagrant up", "plain vagrant up again", "plain vagrant ssh",
        "the cluster of plain vagrant up is ready", "lab verify",
    ]  # fmt: skip
    assert "did not end" not in page


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("provisions again", "provisioned machines that were up and provisioned"),
        ("node02 did not join", "left node02 out of the cluster"),
        ("the old cluster", "made no cluster of its own"),
    ],
)
def test_what_vagrant_up_does_not_make_is_told(
    fault: str, told: str, whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = FakeLab(monkeypatch)
    if fault == "provisions again":
        lab.fails["plain up"] = "==> node01: Running provisioner: cluster (shell)..."
    elif fault == "node02 did not join":
        lab.members.remove("node02")
    else:
        monkeypatch.setattr(report, "_identity", lambda: "one")
    page = whole(status=1)
    assert "## Why it ended" in page and told in page
    assert "Then a plain `vagrant up`" not in page and "noise: cluster_ip/dns." in page


@pytest.fixture
def of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of others without their build, and machines that are ready at once."""
    step = SimpleNamespace(ensure=lambda step: Path("/store") / step.name)
    monkeypatch.setattr(report, "default_store", lambda: step)
    monkeypatch.setattr(report.others, "vagrantfile", lambda *_: None)
    monkeypatch.setattr(report.others, "folder", lambda: Path("others"))
    monkeypatch.setattr(report.lifecycle, "prepare", lambda *_, **__: None)
    monkeypatch.setattr(report.lifecycle, "_require", lambda: None)
    monkeypatch.setattr(report.tool, "take_plugins", lambda _: None)
    monkeypatch.setattr(report.carriers, "remember", lambda _: None)
    monkeypatch.setattr(report.mirror, "lead", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(report, "_ready", lambda _: {"linux": "6.12+deb13"})


@pytest.mark.usefixtures("of_others")
def test_a_run_on_boxes_of_others(whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by Vagrant alone, compared, all machines started anew, compared again."""
    lab = FakeLab(monkeypatch)
    page = whole("--other", status=0)
    changes = [line for line in lab.asked if "verify" in line or "plain" in line]
    assert [line.split(" -")[0] for line in changes] == [
        "others others plain up", "others others plain up", "verify", "others others plain reload", "verify",
    ]  # fmt: skip
    rows = re.findall(r"^\| (.+) \| [\d.]+ \|$", page, re.MULTILINE)
    assert rows == [
        *(f"a box of others, {kind.name}" for kind in others.KINDS),
        "lab box --other", "libvirt in a network of its own", "plain vagrant up", "plain vagrant up again",
        "lab verify", "plain vagrant reload", "lab verify",
    ]  # fmt: skip
    assert "on 3 virtual machines of three such boxes; 1 of 1 outputs" in page and "| linux | 6.12+deb13 |" in page
    assert "`make test-vagrant-other`" in page and "- NetworkManager, as on a desktop" in page
    assert f"## {report.STARTED_ANEW}" in page


@pytest.mark.usefixtures("of_others")
def test_boxes_of_others_that_make_no_cluster_are_told(
    whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeLab(monkeypatch, **{"others others plain up": "==> node01: Running provisioner: cluster (shell)..."})
    page = whole("--other", status=1)
    assert "provisioned machines that were up and provisioned" in page and "No output was compared." in page


def test_a_command_that_fails_is_told_and_nothing_is_lost(
    whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are tried all the same."""
    lab = FakeLab(monkeypatch, logs="journalctl: no such unit", check="another answer")
    page = whole(status=1)
    assert "1 of 1 outputs that were compared were the book's" in page and "noise: cluster_ip/dns." in page
    assert "| lab logs node01 kubelet | failed, see below |" in page and "journalctl: no such unit" in page
    assert "| lab check pod_to_pod/mtu | failed, see below |" in page and "did not end" not in page
    assert [line for line in lab.asked if line in report.COMMANDS] == list(report.COMMANDS)


def test_a_command_that_says_something_else_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ran(found=compared(dns="unchanged"), wanted=1)
    assert run.good
    monkeypatch.setattr(report, "_lab", lambda _: (0, '{"phase": "down"}'))
    report._try(run, lambda _: None, "status --json")
    assert not run.good and '"down"' in run.failed["lab status --json"]


def test_machines_that_do_not_come_back_are_told_and_nothing_is_lost(
    whole: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeLab(monkeypatch, up="not ready: all nodes are Ready")
    page = whole(status=1)
    assert "## Why it ended" in page and "not ready: all nodes are Ready" in page
    assert "| lab up, the cluster kept | did not end |" in page and "noise: cluster_ip/dns." in page


def test_another_cluster_is_not_the_one_that_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = FakeLab(monkeypatch)
    numbers = iter(["one", "two"])
    monkeypatch.setattr(report, "_identity", lambda: next(numbers))
    with pytest.raises(LabError, match="another cluster") as caught:
        report._live_on(ran(), lambda _: None)
    assert "before one, now two" in caught.value.detail and "up" in lab.asked[-1]


def test_a_chapter_that_is_none_is_told_before_machines_are_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["report", "--chapters", "no_such_chapter"])
    with pytest.raises(SystemExit) as caught:
        report.main()
    assert caught.value.code == 2 and "no_such_chapter" in capsys.readouterr().err


# --- boxes of others ------------------------------------------------------------------


class Debian(BaseHTTPRequestHandler):
    """A mirror with one package."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path != "/debian/pool/hello.deb":
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        pass


def fetched(proxy: int, url: str) -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy, timeout=10)) as connection:
        connection.request("GET", url)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_machines_without_a_way_out_get_what_the_mirror_has_and_nothing_else() -> None:
    Debian.asked.clear()
    entered: list[bool] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Debian) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/debian"
        with mirror.lead(lambda: entered.append(True), url, port=0) as port:
            assert fetched(port, f"{url}/pool/hello.deb") == (200, b"hello")
            assert fetched(port, f"{url}/pool/hello.deb") == (200, b"hello")
            assert fetched(port, f"{url}/pool/none.deb")[0] == 404
            assert fetched(port, f"http://127.0.0.1:{server.server_port}/elsewhere")[0] == 403
        server.shutdown()
        with mirror.lead(lambda: entered.append(True), "http://127.0.0.1:9/debian", port=0) as port:
            assert fetched(port, "http://127.0.0.1:9/debian/pool/hello.deb")[0] == 502
    assert Debian.asked == ["/debian/pool/hello.deb", "/debian/pool/none.deb"], "each once"
    assert entered == [True, True]


def test_boxes_of_others_differ_in_what_manages_their_network() -> None:
    names = [others.Other(SPEC, kind).name for kind in others.KINDS]
    assert names == ["other-box-ifupdown", "other-box-networkd", "other-box-networkmanager"]
    assert len({others.Other(SPEC, kind).key for kind in others.KINDS}) == len(names)


def test_a_command_of_the_run_ends_politely_when_the_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may clear away what it began."""
    program = tmp_path / "lab"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = wait ] || {{ echo "$@"; echo more >&2; exit 3; }}\n'
        f"trap 'echo cleared >{tmp_path}/told; exit 1' TERM\necho begun\nwhile :; do sleep 0.05; done\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert report._lab(["a", "b"]) == (3, "a b\nmore\n")

    def over(*_: Any, **__: Any) -> None:
        raise report.OutOfTime

    monkeypatch.setattr("builtins.print", over)
    with pytest.raises(report.OutOfTime):
        report._lab(["wait"], show=True)
    assert (tmp_path / "told").read_text() == "cleared\n"


@pytest.mark.parametrize("journey", [report.OURS, report.OTHERS], ids=lambda journey: journey.title)
def test_the_committed_page_is_about_the_snippets_of_its_chapters(journey: report.Journey) -> None:
    """All of them, as they are now: else it is of another state of the book."""
    text = (report.ROOT / journey.page).read_text()
    equal = re.findall(r"^Equal to the book apart from noise: (.+)\.$", text, re.MULTILINE)
    assert len(equal) == len(journey.comparisons), f"not all was compared: run `{journey.command}`"
    names = {name for part in equal for name in part.split(", ") if name != "none"}
    names |= set(re.findall(r"^### (\w+/\w+): ", text, re.MULTILINE))
    chapters = {name.split("/")[0] for name in names}
    now = {snippet.name for snippet in select([]) if snippet.chapter in chapters}
    assert set(report.CHAPTERS) <= chapters, f"run `{journey.command}`"
    missed, gone = sorted(now - names), sorted(names - now)
    assert names == now, f"not compared: {missed}, not there any more: {gone}; run `{journey.command}`"
