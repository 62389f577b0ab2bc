"""The carrier on virtual machines, without any: what is laid down, what is asked, what is said of failures."""

import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from fakes import FakeCarrier, FakeClock

from lab import carriers, doctor, kubeadm, ready
from lab.carriers import uml
from lab.carriers.uml import State
from lab.carriers.vagrant import VagrantCarrier, state_file
from lab.cli import main
from lab.errors import LabError
from lab.image.steps import PROVISION
from lab.node import Node
from lab.spec import load_spec
from lab.vagrant import box, files, lifecycle, report, tool

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


@pytest.mark.parametrize("patch", [*kubeadm.static_pod_patches().values(), kubeadm.coredns_patch("172.16.49.65")])
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


def archive(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, int]]:
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

    monkeypatch.setattr(files.calico, "manifest", lambda spec, kubectl: "kind: DaemonSet\n")
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


# --- failures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "told", "hint"),
    [
        ("The provider 'libvirt' could not be found, but was requested to\nback the machine.", "its plugin is missing",
         "vagrant plugin install vagrant-libvirt"),
        ("VirtualBox is not installed: VBoxManage could not be found", "VirtualBox is not installed",
         "--provider=libvirt"),
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
    machines = doctor.packages(build=False, machines=True)
    assert {"vagrant", "vagrant-libvirt", "libvirt-daemon-system", "qemu-system-x86"} <= set(machines)
    assert "vagrant" not in doctor.packages(build=False)
    assert "qemu-utils" not in machines and "qemu-utils" in doctor.packages(build=True, machines=True)


def test_doctor_names_the_plugin_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "has_plugin", lambda: False)
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
    box._whole_disk(part, raw, tmp_path / "log")
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


def ran(*lines: str, **values: Any) -> report.Run:
    run = report.Run(begun=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), kvm=False, versions={"QEMU": "7.2"}, **values)
    for line in lines:
        run.hear(line)
    return run


def test_a_run_that_did_not_end_says_how_far_it_came() -> None:
    run = ran(
        "vagrant up, 3 machines ...", "node01: Starting domain.", "vagrant up, 3 machines: 200.5 s", "kubeadm init ..."
    )
    run.error = f"no end within 75 minutes: {Path.home()}/x and {report.ROOT}/y"
    run.state = {"node01: uptime": "up 3 min\n"}
    text = report.page(run, SPEC)
    assert "| vagrant up, 3 machines | 200.5 |\n| kubeadm init | did not end |" in text
    assert "ended at the step “kubeadm init”" in text and "No output was compared." in text
    assert "no end within 75 minutes: ~/x and ./y" in text and "up 3 min" in text
    assert not run.good and str(Path.home()) not in text


def test_a_run_is_good_when_every_output_is_the_books() -> None:
    snippets = [{"snippet": "pod_to_pod/mtu", "result": "unchanged", "findings": [], "difference": "", "error": ""}]
    counts = {"all": 1, "unchanged": 1, "changed": 0, "failed": 0}
    run = ran(verdicts={"counts": counts, "snippets": snippets}, wanted=1)
    assert run.good
    text = report.page(run, SPEC)
    assert "1 of 1 outputs that were compared were the book's" in text and "noise: pod_to_pod/mtu." in text
    run = ran(verdicts={"counts": counts, "snippets": snippets}, wanted=3)
    assert not run.good
    assert "2 more could not be compared within the limit" in report.page(run, SPEC)


def test_a_run_goes_on_with_what_an_interrupted_one_had_measured(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "    1.5 vagrant up, 3 machines ...\n   90.0 vagrant up, 3 machines: 88.5 s\n   95.0 kubeadm init ...\n"
    )
    run = ran()
    assert 95 <= report._recall(run, log) < 155
    assert run.steps == [("vagrant up, 3 machines", 88.5)] and run.unfinished == "kubeadm init"
    assert report._recall(ran(), tmp_path / "none") == 0


def test_an_output_that_differs_is_shown_with_its_meaning() -> None:
    other = {
        "snippet": "cluster_ip/dns", "result": "changed", "findings": [{"sentence": "node01 lost a route"}],
        "difference": "-old\n+new\n", "error": "",
    }  # fmt: skip
    run = ran(verdicts={"counts": {"all": 1, "unchanged": 0, "changed": 1, "failed": 0}, "snippets": [other]})
    assert not run.good
    text = report.page(run, SPEC)
    assert "### cluster_ip/dns: changed" in text and "- node01 lost a route" in text and "+new" in text
