"""The command answers mistakes with one message, the next command and a status other than 0."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab import carriers, doctor
from lab.carriers import uml
from lab.cli import main


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


def test_too_little_shared_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        f_bavail, f_frsize = 10, 4096

    monkeypatch.setattr(doctor.os, "statvfs", lambda path: Small())
    finding = doctor._shared_memory()
    assert finding is not None and "remount,size=" in finding.repair


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.bringup import Bringup
    from lab.errors import LabError
    from lab.spec import load_spec

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
    from lab.spec import load_spec

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
