"""Snippets' processes: each its own, ended in time with all it started, and cheap."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import eventually

from lab import worker
from lab.errors import LabError
from lab.worker import Ended, Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process for all tests here, without the client."""
    with Workers(preload=False) as made:
        yield made


class Runs:
    """Runs code as a snippet."""

    def __init__(self, workers: Workers, folder: Path) -> None:
        self.workers, self.folder, self.count = workers, folder, 0

    def __call__(self, code: str, *, limit: float = 20, **environment: str) -> Ended:
        self.count += 1
        place = self.folder / str(self.count)
        place.mkdir()
        path = place / "snippet.py"
        path.write_text(code)
        return self.workers.run(path, environment, place, limit=limit)


@pytest.fixture
def run(workers: Workers, tmp_path: Path) -> Runs:
    """Runs code as a snippet."""
    return Runs(workers, tmp_path)


def test_it_is_run_as_python_would(run: Runs) -> None:
    """Its name, its arguments, its folder on the path, and both its streams."""
    code = (
        "import sys\n"
        "print(__name__, sys.argv == [__file__], sys.path[0] == __file__.rpartition('/')[0], sys.stdin.read() == '')\n"
        "print(sys.modules['__main__'].__file__ == __file__)\n"
        "print('error', file=sys.stderr)\n"
    )
    assert run(code) == Ended(0, "__main__ True True True\nTrue\n", "error\n")


ENDS = {
    "end": ("", 0, ""),
    "exit": ("raise SystemExit", 0, ""),
    "status": ("import sys\nsys.exit(3)", 3, ""),
    "message": ("import sys\nsys.exit('no lab')", 1, "no lab\n"),
    "signal": ("import os\nos.kill(os.getpid(), 15)", -15, ""),
    "at once": ("import os\nos._exit(7)", 7, ""),
}


@pytest.mark.parametrize(("code", "status", "errors"), ENDS.values(), ids=ENDS.keys())
def test_ways_to_end(run: Runs, code: str, status: int, errors: str) -> None:
    """The status is the one that a shell would see."""
    assert run(code) == Ended(status, "", errors)


def test_a_failure_shows_the_snippets_own_lines(run: Runs) -> None:
    """Nothing of the process that made it."""
    ended = run("def f():\n    return 1 / 0\nf()\n")
    assert ended.status == 1
    assert ended.errors.startswith("Traceback (most recent call last):\n  File")
    assert "ZeroDivisionError" in ended.errors and "worker.py" not in ended.errors


def test_a_file_that_is_no_python_fails(run: Runs) -> None:
    """With Python's own words."""
    ended = run("def f(:\n")
    assert ended.status == 1 and "SyntaxError" in ended.errors and "worker.py" not in ended.errors


def test_what_one_changes_the_next_does_not_see(run: Runs) -> None:
    """Modules, environment and folder are as they were."""
    change = (
        "import os, json\njson.mark = 1\nos.environ['MARK'] = '1'\nos.chdir('/')\nimport random\nprint(random.random())"
    )
    first = run(change)
    assert first.status == 0
    look = "import os, json\nprint(hasattr(json, 'mark'), 'MARK' in os.environ, os.getcwd() == '/')"
    assert run(look).printed == "False False False\n"
    assert run(change).printed != first.printed


def test_the_environment_is_given(run: Runs) -> None:
    """What the one who asks adds."""
    assert run("import os\nprint(os.environ['LAB_SCENARIO'])", LAB_SCENARIO="pods").printed == "pods\n"


def test_what_is_registered_for_the_end_is_done(run: Runs) -> None:
    """In the order of Python's own; threads that are no daemons are waited for."""
    code = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'second')\natexit.register(print, 'first')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
    )
    assert run(code) == Ended(0, "thread\nfirst\nsecond\n", "")


@pytest.mark.slow
def test_over_its_limit_it_is_ended_with_all_it_started(run: Runs, tmp_path: Path) -> None:
    """No status, and no process that lives on."""
    code = "import subprocess, os\nprint(os.getpid(), flush=True)\nsubprocess.run(['sh', '-c', 'echo $$; sleep 60'])"
    ended = run(code, limit=1)
    assert ended.status is None
    pids = [int(word) for word in ended.printed.split()]
    assert len(pids) == 2 and eventually(lambda: not any(alive(pid) for pid in pids))


def test_what_it_started_ends_with_it(run: Runs) -> None:
    """A program that was left in the background."""
    ended = run("import subprocess\nprint(subprocess.Popen(['sleep', '60']).pid)\nimport os\nos._exit(0)")
    assert ended.status == 0 and eventually(lambda: not alive(int(ended.printed)))


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_several_run_side_by_side(run: Runs) -> None:
    """One waits for what the other writes."""
    wait = "import os, time\nwhile not os.path.exists({0!r}): time.sleep(0.01)\nopen({1!r}, 'w').close()"
    one, two = str(run.folder / "one"), str(run.folder / "two")
    found: list[Ended] = []
    thread = threading.Thread(target=lambda: found.append(run(wait.format(one, two))))
    thread.start()
    assert eventually(lambda: run.count == 1)
    assert run(f"open({one!r}, 'w').close()\n" + wait.format(two, one)).status == 0
    thread.join()
    assert found == [Ended(0, "", "")]


def test_live_output_is_this_processs_own(workers: Workers, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Shown at once, and not a second time."""
    path = tmp_path / "snippet.py"
    path.write_text("print('hello')\n")
    assert workers.run(path, {}, tmp_path, limit=20, live=True) == Ended(0, "", "")
    assert capfd.readouterr().out == "hello\n"


def test_closing_ends_what_runs(tmp_path: Path) -> None:
    """As Ctrl-C does; whoever waits is told."""
    path = tmp_path / "snippet.py"
    path.write_text(f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
    closing = Workers(preload=False)
    found: list[int | None] = []
    thread = threading.Thread(target=lambda: found.append(closing.run(path, {}, tmp_path, limit=60).status))
    thread.start()
    assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 20)
    closing.close()
    thread.join(10)
    assert found == [-9] and not alive(int((tmp_path / "pid").read_text()))


def test_its_sudden_end_is_an_error(tmp_path: Path) -> None:
    """Not a wait without end, for the one that runs and for the next."""
    path = tmp_path / "snippet.py"
    path.write_text("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time\ntime.sleep(60)\n")
    with Workers(preload=False) as broken:
        for _ in range(2):
            with pytest.raises(LabError, match="ended before the snippet did"):
                broken.run(path, {}, tmp_path, limit=20)


def test_no_descriptor_is_left(run: Runs) -> None:
    """A hundred snippets need no more than one."""
    run("")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run("")
    assert len(os.listdir("/proc/self/fd")) == before
    inside = "import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    assert run(inside).printed == "[0, 1, 2]\n"


@pytest.mark.slow
def test_what_is_imported_in_advance_exists() -> None:
    """A name that is gone would stop every run; everything a snippet needs later is there already."""
    code = (
        "import sys, threading\nfrom lab import worker\nworker._preload(worker.PRELOAD)\n"
        "assert {'kubernetes.client', 'pyroute2', 'lab.netlink'} <= sys.modules.keys()\n"
        "assert threading.active_count() == 1\n"
    )
    begun = time.monotonic()
    done = worker.subprocess.run([worker.sys.executable, "-c", code], check=False)
    assert done.returncode == 0 and time.monotonic() - begun < 60
