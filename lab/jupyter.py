"""JupyterLab over the chapters' notebooks, with its kernels inside the lab's network.

A socket belongs to the network namespace that it was made in, for as long as it lives. So this process
first opens a port on the host's 127.0.0.1, then enters the lab's network, and answers on that port from
there: the browser stays outside, and the kernels that are started here see the nodes.
"""

import importlib.util
import os
import secrets
import signal
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from lab import notebook, paths
from lab.errors import LabError

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from lab.carriers import Live

SHUTDOWN = 60.0
"""Seconds that a kernel has at its end, to remove what its snippets needed in the cluster."""


def require() -> None:
    """Refuse to go on without JupyterLab.

    Raises:
        LabError: It is not installed; says how to install it.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed", hint=f"make -C {paths.ROOT} notebook")


def write(folder: Path, chapters: Sequence[notebook.Chapter]) -> list[Path]:
    """Write the notebooks, each as new; one whose cells the reader changed is kept beside it.

    Returns:
        The notebooks of the reader's that were moved aside.

    Raises:
        LabError: A snippet has no capture, or one that was edited by hand.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = []
    for chapter in chapters:
        path, text = folder / chapter.file, notebook.make(chapter)
        if path.exists() and notebook.is_changed(path.read_text(encoding="utf-8", errors="replace")):
            changed = datetime.fromtimestamp(path.stat().st_mtime)
            kept.append(path.rename(path.with_stem(f"{path.stem}-{changed:%Y%m%d-%H%M%S}")))
        path.write_text(text, encoding="utf-8")
    return kept


def listen(port: int = 0) -> socket.socket:
    """A listening port of the host's own 127.0.0.1.

    Args:
        port: Its number; 0 takes a free one.

    Raises:
        LabError: The port is taken.
    """
    try:
        door = socket.create_server(("127.0.0.1", port), backlog=128)
    except OSError as error:
        raise LabError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}", hint="leave out --port to take a free one"
        ) from None
    door.setblocking(False)
    return door


def serve(carrier: "Live", folder: Path, first: str, door: socket.socket, say: Callable[[str], None]) -> None:
    """Run JupyterLab until Ctrl-C; then its kernels end and remove what their snippets needed.

    Args:
        carrier: The running lab; this process moves into its network.
        folder: Where the notebooks are.
        first: The notebook that the address opens; empty for none.
        door: The port that the browser reaches.
        say: Tells the reader.
    """
    token = secrets.token_hex(24)
    port = door.getsockname()[1]
    _private(folder.parent / "jupyter", token)
    # An ordinary user's process can only enter while it has one thread, so before Jupyter is loaded.
    carrier.enter()
    from jupyterlab.labapp import LabApp

    server = LabApp.initialize_server(_options(folder, port))
    # The server listens on the same port inside the lab too; this one is the host's.
    server.io_loop.add_callback(server.http_server.add_socket, door)
    _end_well(server)
    place = f"/tree/{first}" if first else ""
    say(f"open http://127.0.0.1:{port}/lab{place}?token={token}\nend it with Ctrl-C")
    server.start()


def _end_well(server: "ServerApp") -> None:
    """At Ctrl-C let the kernels clean up; the second one ends all at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        server.stop(from_signal=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _private(folder: Path, token: str) -> None:
    """Give Jupyter folders of its own: the reader's settings and this lab's keys do not meet."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("CONFIG", "DATA", "RUNTIME"):
        os.environ[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
    os.environ["IPYTHONDIR"] = str(folder / "ipython")
    # Not among the options, where every user of the host could read it.
    os.environ["JUPYTER_TOKEN"] = token
    for name in ("LAB_RECORD", "LAB_SCENARIO"):
        os.environ.pop(name, None)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(paths.ROOT), os.environ.get("PYTHONPATH")]))


def _options(folder: Path, port: int) -> list[str]:
    return [
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.open_browser=False",  # a browser that is started from here would be inside
        "--ServerApp.allow_root=True",  # an ordinary user is root in the lab's namespaces, and nowhere else
        "--Application.log_level=ERROR",
        f"--KernelManager.shutdown_wait_time={SHUTDOWN:g}",
        "--KernelManager.transport_encryption=auto",
        # Nothing is asked of other hosts.
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]
