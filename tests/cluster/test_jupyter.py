"""JupyterLab in a network namespace, with no cluster: who may reach it, where its kernels are, how it ends.

It stands here because `make test` installs JupyterLab, which is optional, just before these tests.
"""

import os
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_browser import Server, opened

CHILD = Path(__file__).with_name("jupyter_child.py")


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
