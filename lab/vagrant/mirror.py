"""A way to Debian's packages for machines whose network has none out: a proxy that leads to the mirror alone.

The lab's own libvirt lives in a network without a way out. A box of others installs packages there all the same.
"""

import hashlib
import shutil
import socket
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ADDRESS = "192.168.121.1"
"""The host as the machines see it, in the network that Vagrant logs in by; see `Vagrantfile`."""

PORT = 3142
LIMIT = 120.0
"""Seconds that the mirror may take for an answer."""


@contextmanager
def lead(enter: Callable[[], None], mirror: str, *, port: int = PORT) -> Iterator[int]:
    """Answer in the machines' network, as long as the block runs, with what the mirror says to this host.

    Each file is fetched once, since every machine asks for the same.

    Args:
        enter: Moves the thread that calls it into that network.
        mirror: The address that all requests must begin with.
        port: Where it answers; 0 for a free one.

    Yields:
        The port.
    """
    with tempfile.TemporaryDirectory() as folder, _listening(enter, port) as listener:
        handler = type("ToMirror", (ToMirror,), {"mirror": mirror.rstrip("/") + "/", "kept": Kept(Path(folder))})
        server = ThreadingHTTPServer(listener.getsockname(), handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _listening(enter: Callable[[], None], port: int) -> socket.socket:
    """A socket that listens there: a thread of its own makes it, and the others stay in this host's network."""

    def make() -> socket.socket:
        enter()
        return socket.create_server(("", port))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


class Kept:
    """What was fetched already, by its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        self._one_each: dict[str, threading.Lock] = {}

    def get(self, url: str) -> Path:
        """The file of an address; a second one who wants it waits for the first.

        Raises:
            OSError: The mirror does not give it.
        """
        place = self.folder / hashlib.sha256(url.encode()).hexdigest()
        with self._guard:
            lock = self._one_each.setdefault(url, threading.Lock())
        with lock:
            if not place.exists():
                half = place.with_suffix(".half")
                with urllib.request.urlopen(url, timeout=LIMIT) as answer, half.open("wb") as stream:
                    shutil.copyfileobj(answer, stream)
                half.rename(place)
        return place


class ToMirror(BaseHTTPRequestHandler):
    """Gives what the mirror has, and nothing else."""

    protocol_version = "HTTP/1.1"
    mirror: str
    kept: Kept

    def do_GET(self) -> None:
        if not self.path.startswith(self.mirror):
            self.send_error(403, "the mirror alone")
            return
        try:
            file = self.kept.get(self.path)
        except urllib.error.HTTPError as error:
            self.send_error(error.code)
            return
        except OSError as error:
            self.send_error(502, str(error))
            return
        self.send_response(200)
        self.send_header("Content-Length", str(file.stat().st_size))
        self.end_headers()
        with file.open("rb") as stream:
            shutil.copyfileobj(stream, self.wfile)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: apt in the machine says what it got."""
