"""Commands that run snippets take turns, and say for whom they wait."""

import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import Lab

from lab import runner
from lab.errors import LabError
from lab.turn import turn


@pytest.fixture
def holder(project: Path) -> Path:
    """Where who has the turn tells its name."""
    return project / ".lab/snippets.turn"


@pytest.mark.parametrize("work", [runner.update, runner.verify])
def test_without_patience_the_holder_is_named(work: Callable[[list[str]], runner.Report], lab: Lab) -> None:
    """The message says which process it is, and how to wait instead."""
    with turn(), pytest.raises(LabError, match=rf"already, by `.*` \(process {os.getpid()}, for \d+ s\)") as caught:
        work([])
    assert "LAB_WAIT=600" in caught.value.hint
    assert lab.events == []


def test_it_waits_until_the_other_has_ended(holder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so at once, and goes on by itself."""
    monkeypatch.setenv("LAB_WAIT", "30")
    heard = io.StringIO()  # what pytest captures must not be read while it is written
    monkeypatch.setattr("sys.stderr", heard)
    order: list[str] = []
    taken = threading.Event()

    def other() -> None:
        with turn():
            taken.set()
            while "waiting for" not in heard.getvalue():
                time.sleep(0.01)
            order.append(heard.getvalue())

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    assert taken.wait(10)
    with turn():
        order.append("mine")
    thread.join(10)
    assert order[1:] == ["mine"] and f"(process {os.getpid()}, for 0 s) to end" in order[0]
    assert not holder.exists()


def test_who_has_the_turn_tells_its_command(holder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name that was typed, without the folder that it is in; the note is gone with the turn."""
    monkeypatch.setattr("sys.argv", ["/some/where/lab", "verify", "pod_to_pod"])
    with turn():
        assert json.loads(holder.read_text())["command"] == "lab verify pod_to_pod"
    assert not holder.exists()


def test_a_killed_one_keeps_nobody_waiting(holder: Path) -> None:
    """Its note stays, its lock does not; whoever comes next is told, and tells its own name meanwhile."""
    holder.parent.mkdir()
    holder.write_text('{"pid": 1, "command": "lab verify", "since": 0}')
    with turn() as mine:
        assert mine.killed == "`lab verify` (process 1)"
        assert json.loads(holder.read_text())["pid"] == os.getpid()


def test_a_killed_one_is_told_until_somebody_has_mended(holder: Path) -> None:
    """A notebook, or a run that finds no lab, takes its turn and removes nothing: then the next one still knows."""
    holder.parent.mkdir()
    holder.write_text('{"pid": 1, "command": "lab verify", "since": 0}')
    with pytest.raises(LabError, match="no lab"), turn():
        raise LabError("no lab is running")
    with turn() as mine:
        assert mine.killed == "`lab verify` (process 1)"
        mine.killed = ""
    assert not holder.exists()
    with turn() as mine:
        assert mine.killed == ""


def test_a_killed_one_that_had_not_written_its_name_is_told(holder: Path) -> None:
    """Between the file and its content there is a moment, too."""
    holder.parent.mkdir()
    holder.write_text("")
    with turn() as mine:
        assert mine.killed == "another command"


def test_one_that_fails_or_is_interrupted_was_not_killed(holder: Path) -> None:
    """It has removed its scenario by itself."""
    for error in (LabError("it failed"), KeyboardInterrupt()):
        with pytest.raises(type(error)), turn():
            raise error
        with turn() as mine:
            assert mine.killed == ""


def test_a_note_that_was_not_written_yet_is_no_error(holder: Path) -> None:
    """The lock is taken a moment before."""
    with turn():
        holder.write_text("")
        with pytest.raises(LabError, match="already, by another command"), turn():
            pass


def test_patience_must_be_a_number(holder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake is told, not taken for the usual hour."""
    monkeypatch.setenv("LAB_WAIT", "long")
    with pytest.raises(LabError, match="LAB_WAIT=long is no number of seconds"), turn():
        pass
