"""The command answers mistakes with one message, the next command and a status other than 0."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lab import carriers, doctor, snippets
from lab.carriers import uml
from lab.cli import main
from lab.image import disk
from lab.spec import load_spec


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose lab never ran; what `--carrier` sets is gone afterwards."""
    monkeypatch.setenv("LAB_CARRIER", "")
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ssh", "node01"], "no lab is running in this checkout"),
        (["kubectl", "--", "get", "pods"], "start it: lab up"),
        (["shell"], "no lab is running"),
        (["logs", "node9"], "there is no node 'node9'"),
        (["logs", "node01"], "node01 does not run and left no log"),
        (["run", "pod_to_pod/no_such"], "no_such"),
        (["run", "--carrier", "rewind", "pod_to_pod/mtu"], "there is no carrier 'rewind'"),
        (["update", "no_such_chapter"], "no_such_chapter"),
        (["verify", "no_such_chapter"], "no_such_chapter"),
    ],
)
def test_a_mistake_is_one_message(words: list[str], told: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output


def test_status_without_a_lab_is_down() -> None:
    assert json.loads(run("status", "--json").output)["phase"] == "down"


def test_the_help_names_every_command() -> None:
    said = run("--help").output
    known = ("build up down status ssh kubectl shell", "logs reset doctor run verify update versions")
    for command in " ".join(known).split():
        assert command in said


def state(folder: Path, **changes: object) -> None:
    """A state file of a lab whose process is this test."""
    folder.mkdir(parents=True)
    me = {"pid": os.getpid(), "started": uml.start_time(os.getpid()), "init": os.getpid(), "user": "ann"}
    rest = {"uid": uml.real_uid(), "workers": 2, "products": {}, "phase": "ready", "owner": 1, "since": 0.0}
    (folder / "state.json").write_text(json.dumps({**me, **rest, "kernels": {}, **changes}))


def test_another_users_lab_is_refused(nothing_runs: Path) -> None:
    state(nothing_runs, uid=uml.real_uid() + 1)
    result = run("status")
    assert result.exit_code == 1
    assert "was started by ann" in result.output


def test_a_lab_that_is_not_ready_is_told(nothing_runs: Path) -> None:
    state(nothing_runs, phase="starting")
    result = run("ssh", "node01")
    assert result.exit_code == 1
    assert "not ready yet" in result.output


def test_a_pid_that_is_anothers_by_now_is_no_lab(nothing_runs: Path) -> None:
    state(nothing_runs, started=1)
    assert "ended" in json.loads(run("status", "--json").output)["phase"]


def test_missing_programs_are_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: None if name == "ethtool" else f"/bin/{name}")
    findings = doctor.examine(build=False)
    assert any("ethtool" in finding.what and "apt-get install" in finding.repair for finding in findings)


def test_doctor_fails_when_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "packages", lambda *, build, machines: ["mmdebstrap"])
    result = run("doctor")
    assert result.exit_code == 1
    assert "mmdebstrap" in result.output


def shared(monkeypatch: pytest.MonkeyPatch, *, size: int, free: int) -> None:
    """Make /dev/shm of so many MiB."""
    status = SimpleNamespace(f_bavail=free, f_blocks=size, f_frsize=2**20)
    monkeypatch.setattr(doctor.os, "statvfs", lambda path: status)


def told(monkeypatch: pytest.MonkeyPatch, free: int, **more: Any) -> list[doctor.Finding]:
    """What is said of a /dev/shm of 2000 MiB with so many of them left."""
    shared(monkeypatch, size=2000, free=free)
    return [finding for finding in doctor.examine(**more) if "/dev/shm" in finding.what]


def test_shared_memory_is_what_the_nodes_are_described_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that touches a page for which there is no room any more is ended: all of it must be there before."""
    nodes = load_spec().nodes
    wanted = sum(node.memory for node in nodes)
    assert not told(monkeypatch, wanted, build=False)
    assert not told(monkeypatch, wanted - nodes[-1].memory, build=False, workers=len(nodes) - 2)
    assert told(monkeypatch, wanted, build=False, workers=len(nodes))
    (finding,) = told(monkeypatch, wanted - 1, build=False)
    assert finding.what == f"/dev/shm has {wanted - 1} MiB left, {wanted} MiB are wanted for the nodes' memory"


def test_shared_memory_is_enlarged_by_what_is_used_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that is printed must be enough: what others have put there stays."""
    shared(monkeypatch, size=2000, free=500)
    monkeypatch.setattr(doctor.os, "getuid", lambda: 1000)
    finding = doctor._shared_memory(3328)
    assert finding is not None and finding.repair == "sudo mount -o remount,size=5G /dev/shm"
    monkeypatch.setattr(doctor.os, "getuid", lambda: 0)
    finding = doctor._shared_memory(3328)
    assert finding is not None and finding.repair == "mount -o remount,size=5G /dev/shm"


def test_nodes_that_run_have_their_shared_memory_already(nothing_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that is up, or has one dead node, is not refused for what it has itself taken."""
    me, nodes = os.getpid(), load_spec().nodes
    state(nothing_runs, kernels={node.name: (me, uml.start_time(me)) for node in nodes[:-1]})
    assert doctor.memory(load_spec()) == nodes[-1].memory
    assert not told(monkeypatch, nodes[-1].memory, build=False)


def test_a_build_wants_the_memory_of_the_kernel_that_it_boots() -> None:
    """The number stands in the build's own step, which is part of the product's key."""
    assert f'"mem={doctor.BUILD_MEMORY}M"' in Path(disk.__file__).read_text()


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(("free", "warns"), [(99, True), (100, False)])
def test_a_full_disk_is_told_by_status(
    nothing_runs: Path, monkeypatch: pytest.MonkeyPatch, up: bool, free: int, warns: bool
) -> None:
    """Nodes that cannot write stop in many ways, and none of them says why."""
    if up:
        state(nothing_runs, phase="starting")
    monkeypatch.setattr(uml.shutil, "disk_usage", lambda path: SimpleNamespace(free=free * 10**6))
    words = f"only 99 MB are free at {nothing_runs if up else nothing_runs.parent}, where the nodes' disks grow"
    assert (f"{words}: free some, then: lab up\n" in run("status").output) is warns
    assert json.loads(run("status", "--json").output)["warning"].startswith(words) is warns


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.bringup import Bringup
    from lab.errors import LabError

    real = Path.read_text

    def read(path: Path, *args: object, **kwargs: object) -> str:
        return "MemAvailable: 1000 kB\n" if str(path) == "/proc/meminfo" else real(path, *args, **kwargs)  # type: ignore[arg-type]

    bringup = Bringup(load_spec(), lambda _: None)
    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(LabError, match="MiB of memory, 0 MiB are available"):
        bringup._check_memory()


def test_too_little_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills while nodes write to it would end them; it is looked at before."""
    from collections import namedtuple

    from lab import bringup
    from lab.errors import LabError

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bringup.shutil, "disk_usage", lambda path: usage(10**9, 9 * 10**8, 10**8))
    with pytest.raises(LabError, match=r"disks want 1200 MB, 0\.1 GB are free at .*\n.*LAB_STATE="):
        bringup.Bringup(load_spec(), lambda _: None)._check_disk()


@pytest.mark.parametrize(
    ("name", "value", "repair"),
    [
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ],
    ids=["none", "debian", "ubuntu"],
)
def test_forbidden_namespaces_are_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, repair: str) -> None:
    """Each of the three ways to forbid them has its own repair."""
    real, exists = Path.read_text, Path.exists
    mine = "/proc/sys/" + name
    monkeypatch.setattr(doctor.os, "getuid", lambda: 1000)
    monkeypatch.setattr(Path, "exists", lambda path: str(path) == mine or exists(path))
    monkeypatch.setattr(Path, "read_text", lambda path, *args: value + "\n" if str(path) == mine else real(path, *args))
    finding = doctor._namespaces()
    assert finding is not None
    assert finding.what == "this host forbids user namespaces to ordinary users"
    assert finding.repair.endswith(repair)


def test_root_needs_no_user_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the host allows to others."""
    monkeypatch.setattr(doctor.os, "getuid", lambda: 0)
    assert doctor._namespaces() is None


def test_another_recipe_is_another_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks that were baked before a file of `lab/provision` changed are not booted."""
    import shutil

    from lab import bringup

    shutil.copytree(bringup.PACKAGE, tmp_path / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(bringup, "PACKAGE", tmp_path / "lab")
    before = bringup._recipe()
    assert bringup._recipe() == before
    with (tmp_path / "lab/provision/worker.sh").open("a") as script:
        script.write("true\n")
    assert bringup._recipe() != before


def test_the_carrier_of_the_last_up_is_taken_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `lab up` took is kept, for its owner alone; LAB_CARRIER goes before it; `forget` ends it."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    assert carriers.chosen() == "uml"
    carriers.remember("replay", kubeconfig="/a/file")
    assert carriers.chosen() == "replay"
    assert carriers.remembered() == {"carrier": "replay", "kubeconfig": "/a/file"}
    assert (tmp_path / "carrier.json").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("LAB_CARRIER", "here")
    assert carriers.chosen() == "here"
    monkeypatch.delenv("LAB_CARRIER")
    carriers.forget()
    assert carriers.chosen() == "uml"


def test_a_carrier_without_nodes_cannot_be_started() -> None:
    """The captures and this machine are no cluster that could go up."""
    result = run("up", "--carrier", "replay")
    assert result.exit_code == 1
    assert "the carrier 'replay' has no nodes" in result.output and "carriers that have: uml" in result.output


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("lab ssh node", ["node01", "node02"]),
        ("lab logs cont", ["controlplane"]),
        ("lab run pod_to_pod/the_br", ["pod_to_pod/the_brief_line"]),
        ("lab verify pod_to_p", ["pod_to_pod", *map(str, snippets.select(["pod_to_pod"]))]),
        ("lab notebook pod_to_p", ["pod_to_pod"]),
        ("lab proxy-mode nf", ["nftables"]),
        ("lab sta", ["stale", "status"]),
    ],
)
def test_the_shell_completes(words: str, known: list[str]) -> None:
    """Commands, nodes, snippets, chapters and modes, without a lab."""
    asked = {"_LAB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    done = CliRunner().invoke(main, env=asked, prog_name="lab")
    assert done.exit_code == 0
    assert done.output.splitlines() == [f"plain,{name}" for name in known]


def test_the_shell_is_told_how_to_complete() -> None:
    """By the line that `lab --help` shows."""
    done = CliRunner().invoke(main, env={"_LAB_COMPLETE": "bash_source"}, prog_name="lab")
    assert done.exit_code == 0 and "COMP_WORDS" in done.output
    assert 'eval "$(_LAB_COMPLETE=bash_source lab)"' in run("--help").output


@pytest.mark.slow
def test_the_first_sign_of_life_comes_within_a_second(nothing_runs: Path, tmp_path: Path) -> None:
    """The best of three starts, on a machine that may do other things; without programs it goes no further."""
    environment = {**os.environ, "LAB_CACHE": str(tmp_path / "cache"), "PATH": "", "PYTHONDONTWRITEBYTECODE": ""}
    times = []
    for _ in range(3):
        begin = time.monotonic()
        with subprocess.Popen(
            [Path(sys.executable).parent / "lab", "up", "--carrier", "uml"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            first = process.stderr.readline()
            times.append(time.monotonic() - begin)
            rest = process.stderr.read()
        assert first == "looking at this host ...\n"
        assert process.returncode == 1 and "this host lacks something" in rest
    assert min(times) < 1.0
    assert not (nothing_runs / "state.json").exists()
