"""Host programs: what they say, how they fail, and that none outlives the command that started it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import build, shell
from lab.errors import LabError
from lab.store import Step, Store

pytestmark = pytest.mark.slow

SLEEPER = "sleep 300 & echo $! > child; echo started; wait"
"""A program that has started another one, as a compiler's driver does."""


def child(folder: Path) -> int:
    """The process that the sleeper started."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if text := (folder / "child").read_text() if (folder / "child").exists() else "":
            return int(text)
        time.sleep(0.02)
    raise AssertionError("it did not start")


def runs(pid: int) -> bool:
    """Whether a process does anything still; a zombie does not."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_what_it_says_is_returned() -> None:
    """Its standard output, and nothing of the other stream."""
    assert shell.run(["sh", "-c", "echo out; echo err >&2"], what="trying") == "out\n"


def test_a_failure_shows_the_end_of_what_it_said(tmp_path: Path) -> None:
    """Also when that went into a file, which is named."""
    with pytest.raises(LabError, match="trying: sh exited 3") as caught:
        shell.run(["sh", "-c", "echo why >&2; exit 3"], what="trying")
    assert caught.value.detail == "why"
    log = tmp_path / "log"
    with pytest.raises(LabError, match="trying: sh exited 3") as caught:
        shell.run(["sh", "-c", "echo why; exit 3"], what="trying", log=log)
    assert caught.value.detail == "why" and str(log) in caught.value.hint


def test_a_missing_program_is_named() -> None:
    """With the command that tells what to install."""
    with pytest.raises(LabError, match="trying: the program no-such-program is missing"):
        shell.run(["no-such-program"], what="trying")


def test_a_limit_ends_it_with_its_children(tmp_path: Path) -> None:
    """A program that outlived its parent would go on writing into a folder that is gone."""
    with pytest.raises(LabError, match="trying: no end within 1 s"):
        shell.run(["sh", "-c", SLEEPER], what="trying", cwd=tmp_path, timeout=1)
    assert not runs(child(tmp_path))


def test_another_thread_can_end_it(tmp_path: Path) -> None:
    """The one that waits for the whole build does, when it is interrupted."""
    said: list[str] = []

    def work() -> None:
        try:
            shell.run(["sh", "-c", SLEEPER], what="trying", cwd=tmp_path)
        except LabError as error:
            said.append(error.summary)

    thread = threading.Thread(target=work)
    thread.start()
    pid = child(tmp_path)
    shell.end_running()
    thread.join(10)
    assert said == ["trying: sh exited -15"] and not runs(pid)


class Plain(Step):
    """A step that is made from nothing."""

    expected = 300.0

    def inputs(self) -> list[str | Path]:
        return []


class Sleeping(Plain):
    """A step that takes five minutes."""

    name = "sleeping"

    def build(self, work: Path) -> None:
        shell.run(["sh", "-c", SLEEPER], what="sleeping", cwd=work.parent)


class Failing(Plain):
    """A step that fails as soon as the other one has started."""

    name = "failing"

    def build(self, work: Path) -> None:
        child(work.parent)
        raise LabError("it failed")


def test_a_failed_step_ends_the_others(tmp_path: Path) -> None:
    """Its message does not wait minutes for what runs beside it."""
    steps: list[Step] = [Sleeping(), Failing()]
    store = Store(tmp_path / "products")
    begin = time.monotonic()
    with pytest.raises(LabError, match="it failed"), build.Progress(steps, lambda text: None) as progress:
        build._run(steps, store, progress)
    assert time.monotonic() - begin < 60
    assert not any(store.has(step) for step in steps)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_no_process(tmp_path: Path, number: int) -> None:
    """Ctrl-C, and the polite end that a service manager or `kill` sends."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import pathlib, signal
from lab import build
from lab.store import Store
from test_build import Sleeping
signal.signal(signal.SIGTERM, signal.default_int_handler)
steps = [Sleeping()]
with build.Progress(steps, lambda text: None) as progress:
    build._run(steps, Store(pathlib.Path({str(tmp_path / "products")!r})), progress)
"""
    (tmp_path / "products").mkdir()
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    try:
        pid = child(tmp_path / "products")
    finally:
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode != 0 and "KeyboardInterrupt" in errors
    assert not runs(pid)


class Compiling(Plain):
    """A step that tells when it begins and ends."""

    shares = "sources"

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    def build(self, work: Path) -> None:
        self.seen.append(f"{self.name} begins")
        time.sleep(0.05)
        self.seen.append(f"{self.name} ends")
        (work / "info.json").write_text("[]\n")


def test_steps_that_compile_the_same_wait_for_each_other(tmp_path: Path) -> None:
    """Side by side each would compile all of it; the second finds it done."""
    seen: list[str] = []
    steps: list[Step] = [Compiling("first", seen), Compiling("second", seen)]
    with build.Progress(steps, lambda text: None) as progress:
        build._run(steps, Store(tmp_path / "products"), progress)
    assert seen == ["first begins", "first ends", "second begins", "second ends"]


def test_off_a_terminal_progress_is_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elapsed and expected seconds of each running step, now and then; nothing that a log file could not show."""
    lines: list[str] = []
    written: list[str] = []
    told = threading.Event()

    def say(text: str) -> None:
        lines.append(text)
        if text.startswith("still building"):
            told.set()

    monkeypatch.setattr(build, "QUIET_INTERVAL", 0.05)
    monkeypatch.setattr(build.sys, "stderr", SimpleNamespace(isatty=lambda: False, write=written.append))
    steps: list[Step] = [Sleeping(), Failing()]
    with build.Progress(steps, say) as progress:
        for step in steps:
            progress.begin(step)
        told.clear()
        progress.running["sleeping"] -= 42
        assert told.wait(10)
        for step in steps:
            progress.end(step)
    assert lines[0] == "sleeping: building, about 5 min the first time"
    running = [line for line in lines if "sleeping 42 of about 300 s" in line]
    assert re.fullmatch(r"still building: failing \d of about 300 s; sleeping 42 of about 300 s", running[0])
    assert lines[-2:] == ["sleeping: built in 42 s", "failing: built in 0 s"]
    assert written == []
