"""The carrier of user-mode kernels, as far as it needs none."""

import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.carriers import holder, uml
from lab.carriers.uml import State, UmlCarrier, start_time
from lab.errors import LabError
from lab.paths import PACKAGE
from lab.spec import load_spec


@pytest.fixture(autouse=True)
def no_sockets_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A carrier makes the folder of its sockets; of a test's it stays nowhere."""
    monkeypatch.setattr(uml, "runtime_dir", lambda: tmp_path)


@pytest.mark.parametrize("lives", [True, False])
def test_a_lost_connection_tells_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: bool) -> None:
    """A dead kernel's last words are in the message: the next start would overwrite them."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    pid = os.getpid()
    kernel = (pid, start_time(pid) if lives else 1)
    carrier = UmlCarrier(load_spec(), State(pid, start_time(pid), pid, "", 0, 2, {}, {"node01": kernel}))
    carrier.console("node01").parent.mkdir()
    carrier.console("node01").write_text("Kernel panic - not syncing: a test\n")
    monkeypatch.setattr(carrier, "ssh_command", lambda node: ["sh", "-c", "exit 255"])
    with pytest.raises(LabError) as caught:
        carrier.execute("node01", "true")
    assert ("its kernel runs" if lives else "its kernel is dead") in caught.value.summary
    assert ("Kernel panic" in caught.value.detail) is not lives


def test_a_lost_connection_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line for a node whose kernel runs has a connection behind it, one whose kernel is dead has none."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    pid = os.getpid()
    kernels = {"node01": (pid, start_time(pid)), "node02": (pid, 1)}
    carrier = UmlCarrier(load_spec(), State(pid, start_time(pid), pid, "", 0, 2, {}, kernels))
    carrier.sockets = tmp_path
    opened: list[str] = []
    monkeypatch.setattr(carrier, "connect", lambda node, timeout: opened.append(node))
    for node in ("node01", "node02"):
        carrier.ssh_command(node)
    assert opened == ["node01"]
    with socket.socket(socket.AF_UNIX) as kept:
        kept.bind(str(tmp_path / "node01.ssh"))
        kept.listen()
        carrier.ssh_command("node01")
    assert opened == ["node01"]


@pytest.mark.parametrize(("free", "hint"), [(20, "only 20 MB are free at"), (5000, "bring it back: lab up")])
def test_a_connection_lost_to_a_full_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, hint: str
) -> None:
    """Bringing a node back onto a disk that is full would lose it again."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    pid = os.getpid()
    carrier = UmlCarrier(load_spec(), State(pid, start_time(pid), pid, "", 0, 2, {}, {"node01": (pid, 1)}))
    monkeypatch.setattr(carrier, "ssh_command", lambda node: ["sh", "-c", "exit 255"])
    monkeypatch.setattr(uml.shutil, "disk_usage", lambda path: SimpleNamespace(free=free * 10**6))
    with pytest.raises(LabError, match="the connection is lost") as caught:
        carrier.execute("node01", "true")
    assert caught.value.hint.startswith(hint) and caught.value.hint.endswith("lab up")


def test_the_nodes_need_no_tun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's kernel reads and writes one end of a veth pair: many hosts have no /dev/net/tun for ordinary users."""
    made: list[tuple[str, ...]] = []
    with monkeypatch.context() as patch:
        patch.setattr(holder, "_ip", lambda *words: made.append(words))
        patch.setattr(holder.subprocess, "run", lambda *words, **more: None)
        patch.setattr(Path, "write_text", lambda path, text: len(text))
        holder.make_network("192.168.56.1", "24", ["node01"])
    assert {words[words.index("type") + 1] for words in made if words[:2] == ("link", "add")} == {"bridge", "veth"}

    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    started: list[list[str]] = []

    def start(command: list[str], **more: object) -> None:
        started.append(command)
        raise LabError("not really")

    pid = os.getpid()
    carrier = UmlCarrier(load_spec(), State(pid, start_time(pid), pid, "", 0, 2, {}))
    carrier.sockets = tmp_path
    monkeypatch.setattr(uml.subprocess, "Popen", start)
    with pytest.raises(LabError, match="not really"):
        carrier.boot("node01", kernel=Path("/kernel"), base=Path("/base"))
    (command,) = started
    assert [word for word in command if word.startswith("vec0:transport=raw,ifname=um-node01,")]
    assert not [word for word in command if re.match(r"(vec|eth)\d+[:=](?!transport=raw,)|.*\b(tun)?tap\b", word)]


def test_no_carrier_names_tun() -> None:
    """What libvirt does for virtual machines is its own affair."""
    files = [path for path in (PACKAGE / "carriers").glob("*.py") if "net/tun" in path.read_text()]
    assert len(list((PACKAGE / "carriers").glob("*.py"))) > 5 and not files
