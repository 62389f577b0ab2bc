"""`lab notebook`: what it writes, who may reach it, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_browser import Server, opened

from lab import jupyter, notebook
from lab.errors import LabError
from lab.notebook import Chapter

CHILD = Path(__file__).with_name("jupyter_child.py")
CHAPTER = Chapter("demo", "docs/demo.md", "Demo", ())


def test_without_jupyterlab_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is optional: who lacks it reads the one line that installs it."""
    monkeypatch.setattr(jupyter.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match="JupyterLab is not installed") as caught:
        jupyter.require()
    assert caught.value.hint.endswith("--group notebook")


def test_a_taken_port_is_told() -> None:
    """Another program on the port is no traceback."""
    with jupyter.listen() as taken, pytest.raises(LabError, match="cannot be used: Address already in use"):
        jupyter.listen(taken.getsockname()[1])


def test_the_port_is_the_hosts_own_loopback() -> None:
    """Nobody on the host's network reaches it."""
    with jupyter.listen() as door:
        assert door.getsockname()[0] == "127.0.0.1"


def _cells(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    content = json.loads(path.read_text())
    change(content["cells"])
    path.write_text(json.dumps(content))


def test_what_the_reader_changed_is_kept(tmp_path: Path) -> None:
    """A changed cell moves the file aside; outputs of a run alone do not."""
    assert jupyter.write(tmp_path, [CHAPTER]) == []
    path = tmp_path / "demo.ipynb"
    _cells(path, lambda cells: cells[0].update(metadata={"scrolled": True}))
    assert jupyter.write(tmp_path, [CHAPTER]) == []
    assert path.read_text() == notebook.make(CHAPTER)
    _cells(path, lambda cells: cells.append({"cell_type": "code", "source": ["mine = 1"]}))
    (kept,) = jupyter.write(tmp_path, [CHAPTER])
    assert "mine = 1" in kept.read_text()
    assert path.read_text() == notebook.make(CHAPTER)


def test_a_damaged_notebook_is_kept_too(tmp_path: Path) -> None:
    """What cannot be read is not thrown away either."""
    jupyter.write(tmp_path, [CHAPTER])
    (tmp_path / "demo.ipynb").write_text("{")
    (kept,) = jupyter.write(tmp_path, [CHAPTER])
    assert kept.read_text() == "{"


def _namespaces() -> bool:
    try:
        return subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server, ended at the end whatever happened."""
    if not _namespaces():
        pytest.skip("this host allows no network namespaces")
    folder = tmp_path_factory.mktemp("state")
    with subprocess.Popen([sys.executable, CHILD, folder], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield opened(process, folder)
        finally:
            process.kill()


def test_without_the_token_nothing_is_told(server: Server) -> None:
    """Another user of the host finds the port and gets no answer."""
    with pytest.raises(urllib.error.HTTPError, match="403"):
        server.ask("/api/status")
    assert server.ask("/api/status", token=server.token)["kernels"] == 0


def test_the_token_is_kept_from_other_users(server: Server) -> None:
    """It is not in the command line, and no file that others can read has it."""
    line = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert server.token not in line
    for name in ("notebooks", "jupyter"):
        assert (server.folder / name).stat().st_mode & 0o077 == 0


def test_its_kernels_are_inside_and_clean_up_at_the_end(server: Server) -> None:
    """The kernel sees the other network; Ctrl-C lets it do what it promised for its end, however long that takes."""
    kernel = server.start_kernel()
    done = server.folder / "done"
    code = (
        "import atexit, os, pathlib, time\n"
        f"atexit.register(lambda: (time.sleep(2), pathlib.Path({str(done)!r}).write_text('x')))\n"
        "print(os.readlink('/proc/self/ns/net'))"
    )
    printed = server.run(kernel, code).strip()
    assert printed == os.readlink(f"/proc/{server.process.pid}/ns/net")
    assert printed != os.readlink("/proc/self/ns/net")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0
    assert done.exists()
    with pytest.raises(urllib.error.URLError, match="refused"):
        server.ask("/api/status", token=server.token)
