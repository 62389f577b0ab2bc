"""Processes for snippets: one Python that has everything imported, and a copy of it for each snippet.

Importing the Kubernetes client takes longer than most snippets do. So one process,
`python -m lab.worker`, imports what snippets use and then waits; each snippet gets a
fork of it. That is as much a process of its own as a new one: nothing that a snippet
changes is seen by the next.
"""

import ast
import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from lab import paths
from lab.errors import LabError

PRELOAD = (
    "lab.carriers.uml", "lab.cluster", "lab.api", "lab.pod", "lab.netlink", "yaml", "pyroute2",
    "kubernetes.config", "kubernetes.stream", "websocket",
)  # fmt: skip
# The client's own names are lazy: each is imported when it is first asked for.
CLIENT = ("CoreV1Api", "CustomObjectsApi", "DiscoveryV1Api", "AppsV1Api", "V1Pod", "V1Node", "V1Service")
_CODE = Path(__file__).resolve().parents[1]
_ENDED_IN_TIME, _MESSAGE = 10.0, 65536


@dataclass(frozen=True)
class Ended:
    """How a snippet's process ended.

    Attributes:
        status: Its exit status, or minus the number of the signal; None when it ran over its limit.
        printed: What it wrote to its standard output; empty when that was shown live.
        errors: What it wrote to its standard error.
    """

    status: int | None
    printed: str
    errors: str


class Workers:
    """Runs snippets, each in a process of its own; several threads may ask at once.

    Args:
        preload: Import first what snippets use. Worth it for more than a few.
    """

    def __init__(self, *, preload: bool = True) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(_CODE), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONHASHSEED": "0",
            "PYTHONIOENCODING": "utf-8",
        }
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.worker", str(theirs.fileno()), *(["preload"] if preload else [])],
                cwd=paths.ROOT, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
                start_new_session=True,
            )  # fmt: skip
        self._control = ours

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every snippet that still runs, with all it started."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            self._process.wait(_ENDED_IN_TIME)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, path: Path, environment: dict[str, str], folder: Path, *, limit: float, live: bool = False) -> Ended:
        """Run one snippet to its end.

        Args:
            path: Its file.
            environment: What is added to this process's environment.
            folder: An empty folder for what it writes.
            limit: Seconds that it may run.
            live: Let its standard output go to this process's.

        Raises:
            LabError: The process that makes snippets' processes is gone.
        """
        out, err = folder / "stdout", folder / "stderr"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs, out.open("wb") as stdout, err.open("wb") as stderr:
            fds = [theirs.fileno(), 1 if live else stdout.fileno(), stderr.fileno()]
            request = json.dumps({"path": str(path), "environment": environment}).encode()
            try:
                socket.send_fds(self._control, [request], fds)
            except OSError:
                raise self._gone() from None
            # Only the other process holds this end now, so that its death ends the wait.
            theirs.close()
            status = self._wait(ours, limit)
        return Ended(status, *(file.read_text(encoding="utf-8", errors="replace") for file in (out, err)))

    def _wait(self, reply: socket.socket, limit: float) -> int | None:
        reply.settimeout(limit)
        try:
            answer = reply.recv(_MESSAGE)
        except TimeoutError:
            reply.shutdown(socket.SHUT_WR)
            reply.settimeout(_ENDED_IN_TIME)
            with suppress(TimeoutError):
                reply.recv(_MESSAGE)
            return None
        except ConnectionError:
            answer = b""
        if not answer:
            raise self._gone()
        return int(answer)

    def _gone(self) -> LabError:
        return LabError(
            "the process that runs snippets ended before the snippet did",
            detail=f"its exit status: {self._process.poll()}",
            hint="run it again; is the memory full? free -m",
        )


@dataclass(frozen=True)
class _Child:
    pid: int
    pidfd: int
    reply: socket.socket


@dataclass(frozen=True)
class _Request:
    path: Path
    environment: dict[str, str]
    fds: tuple[int, int]


class _Maker:
    """The waiting process: forks for each request, tells how each child ended, ends a child nobody waits for."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, None)
        self._children: list[_Child] = []

    def serve(self) -> _Request | None:
        """Wait for requests; returns one in the child that is to do it, and None at the end of the parent."""
        while True:
            # A child may end in the very moment in which the one who asked goes away.
            for key, _ in self._selector.select():
                child = key.data
                if child is None:
                    request = self._take()
                    if request is not None:
                        return request
                    if not self._children and self._control.fileno() < 0:
                        return None
                elif child in self._children:
                    self._settle(child, asked=key.fileobj is child.reply)

    def _take(self) -> _Request | None:
        """Fork for one request; in the child, returns it. The end of the one who asks is the end of all."""
        data, fds, _, _ = socket.recv_fds(self._control, _MESSAGE, 3)
        if not data:
            self._selector.unregister(self._control)
            self._control.close()
            for child in list(self._children):
                self._settle(child, asked=True)
            return None
        request = json.loads(data)
        pid = os.fork()
        if pid == 0:
            self._leave()
            os.close(fds[0])
            return _Request(Path(request["path"]), request["environment"], (fds[1], fds[2]))
        child = _Child(pid, os.pidfd_open(pid), socket.socket(fileno=fds[0]))
        for fd in fds[1:]:
            os.close(fd)
        self._children.append(child)
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)
        self._selector.register(child.reply, selectors.EVENT_READ, child)
        return None

    def _leave(self) -> None:
        """In the child: let go of everything that is the parent's."""
        self._selector.close()
        self._control.close()
        for child in self._children:
            os.close(child.pidfd)
            child.reply.close()
        os.setsid()

    def _settle(self, child: _Child, *, asked: bool) -> None:
        """End what a child started, and the child itself if that was asked for; tell its exit status."""
        if asked:
            _kill_group(child.pid)
        # Not reaped yet: until then its number, which is its group's, is nobody else's.
        os.waitid(os.P_PIDFD, child.pidfd, os.WEXITED | os.WNOWAIT)
        _kill_group(child.pid)
        _, status = os.waitpid(child.pid, 0)
        self._children.remove(child)
        for source in (child.pidfd, child.reply):
            self._selector.unregister(source)
        with suppress(OSError):
            child.reply.send(str(os.waitstatus_to_exitcode(status)).encode())
        os.close(child.pidfd)
        child.reply.close()


def _kill_group(pid: int) -> None:
    # Before it has a session of its own, a new child is in nobody's group but ours.
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            end(pid, signal.SIGKILL)
            return


def _become(request: _Request) -> int:
    """Run a snippet as `python <path>` would; returns its exit status."""
    os.dup2(request.fds[0], 1)
    os.dup2(request.fds[1], 2)
    for fd in request.fds:
        os.close(fd)
    os.environ.update(request.environment)
    sys.argv = [str(request.path)]
    sys.path[0] = str(request.path.parent)
    main = ModuleType("__main__")
    main.__file__ = str(request.path)
    sys.modules["__main__"] = main
    try:
        exec(compile(_text(request.path), str(request.path), "exec", dont_inherit=True), main.__dict__)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        # Without the frame of this file, which no reader of a snippet knows.
        trace = error.__traceback__.tb_next if error.__traceback__ else None
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    return 0


def _text(path: Path) -> bytes | ast.Module:
    """A snippet; on a cluster of the reader's own, in that cluster's words."""
    from lab import carriers

    if carriers.chosen() != "attached":
        return path.read_bytes()
    from lab import scenario
    from lab.carriers.attached import running

    name = os.environ.get("LAB_SCENARIO")
    more = scenario.path_of(name).read_text(encoding="utf-8") if name else ""
    return running().fit_for(name).tree(path.read_text(encoding="utf-8"), more)


class _Exit:
    """The last act of a child: to take a thousand imported modules down would last longer than the snippet."""

    def __init__(self) -> None:
        self.status: int | None = None
        # Registered before anything is imported, it runs after everything that was registered later.
        atexit.register(self)

    def __call__(self) -> None:
        if self.status is None:
            return
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.status & 0xFF)


def _preload(modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    client: Any = importlib.import_module("kubernetes.client")
    for name in CLIENT:
        getattr(client, name)
    # What is there now is never collected: children share its memory with this process.
    gc.freeze()


def main() -> None:
    """Arguments: the number of the socket to be asked through, and `preload`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    last = _Exit()
    fd, *words = sys.argv[1:]
    control = socket.socket(fileno=int(fd))
    control.set_inheritable(False)
    if words:
        _preload(PRELOAD)
    request = _Maker(control).serve()
    if request is not None:
        last.status = _become(request)


if __name__ == "__main__":
    main()
