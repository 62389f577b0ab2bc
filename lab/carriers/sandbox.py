"""The sandbox as a carrier: namespaces of an ordinary user that last as long as the process that asked for them.

Its first process reads a pipe from that process. When the process ends,
however it ends, the pipe does too, and the kernel takes everything down:
processes, interfaces, rules.
"""

import atexit
import contextlib
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import IO

from lab.capture import Recorded
from lab.carriers import Carrier, Completed, spec_of
from lab.carriers.here import GROUND, SYSTEM_PATH
from lab.errors import LabError

NAME = "sandbox"
START_LIMIT = 20.0
"""Seconds until the first process must have answered."""

# Whoever is root makes the sandbox as `nobody`: what the book shows is then what an ordinary user can do.
_AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
_UNSHARE = "unshare --user --map-root-user --net --mount --ipc --uts --pid --fork --kill-child"
# Programs that snippets and readers find in every sandbox.
_PROGRAMS = Path(__file__).resolve().parents[1] / "worlds"
# Before the new /proc is mounted, /proc/self tells this process's number as the outside counts.
_FIRST_PROCESS = f"""\
read -r pid rest < /proc/self/stat
mount -t proc proc /proc && mount -t tmpfs run /run && hostname {NAME} && mkdir /run/lab && cd /run/lab || exit
%s
sh begin.sh || exit
echo "$pid"
exec cat > /dev/null
"""
# Where something is mounted over a part of /proc, the kernel refuses an ordinary user a new one. Root mounts
# a whole one first, seen by nobody else.
_START = f"""\
export PATH={SYSTEM_PATH}; cd /; id -u
first=%s
[ "$(id -u)" = 0 ] || exec {_UNSHARE} sh -c "$first"
exec unshare --mount sh -c 'mount -t proc proc /proc && exec {_AS_NOBODY} {_UNSHARE} sh -c "$1"' sh "$first"
"""
# Runs here; makes one shell line of what enters the sandbox and of the line that is to run there.
_QUOTE = "import os, shlex, sys; *ground, enter, line = sys.argv[1:]; "
_QUOTE += "os.execvp(ground[0], [*ground, enter + shlex.quote(line)])"


class SandboxCarrier:
    """Carries the sandbox and its hosts; starts it when a command first needs it.

    Args:
        connect: Gives what the sandbox stands on; for tests.
    """

    name = NAME

    def __init__(self, connect: Callable[[], Carrier] | None = None) -> None:
        self._connect = connect
        self._holder: subprocess.Popen[str] | None = None
        self._enter = ""
        self.pid = 0

    @cached_property
    def base(self) -> Carrier:
        """What the sandbox stands on: the lab, or this machine."""
        from lab.cluster import begin, cluster

        begin()
        return self._connect() if self._connect else cluster.carrier

    @property
    def recorded(self) -> Recorded | None:
        """Answers that stand in for the sandbox, on replay."""
        return self.base.recorded

    @cached_property
    def ground(self) -> str:
        """The node that it stands on."""
        if self.base.name == GROUND:
            return GROUND
        return spec_of(self.base).workers[0].name

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command in the sandbox, or on one of its hosts; see `lab.carriers.Carrier.execute`."""
        if self.recorded is not None:
            return self.base.execute(node, command, timeout=timeout)
        line = self.inside(node) + shlex.quote(command)
        return self.base.execute(self.ground, line, timeout=timeout)

    def ssh_command(self, node: str) -> list[str]:
        """The command line that runs a shell line in the sandbox, its standard input and output connected."""
        return [sys.executable, "-c", _QUOTE, *self.base.ssh_command(self.ground), self.inside(node)]

    def inside(self, node: str) -> str:
        """The beginning of a line for the ground's shell that runs the rest, quoted, in the sandbox."""
        if self._holder is None:
            self._start()
        net = "--net" if node == NAME else f"--net=/proc/{self.pid}/root/run/netns/{node}"
        return f"{self._enter} {net} sh -c "

    def kubeconfig(self) -> Path:
        """There is no cluster inside; the ground may have one."""
        return self.base.kubeconfig()

    def enter(self) -> None:
        """Commands enter one by one."""

    def versions(self) -> dict[str, str]:
        """Versions of what the ground runs."""
        return self.base.versions()

    def close(self) -> None:
        """End the sandbox with all that is in it, and wait for it. Twice does no harm."""
        holder, self._holder = self._holder, None
        if holder is None:
            return
        assert holder.stdin and holder.stdout and holder.stderr
        with contextlib.suppress(OSError):  # it has ended by itself
            holder.stdin.close()
        try:
            holder.wait(5)
        except subprocess.TimeoutExpired:
            holder.kill()
            holder.wait()
        holder.stdout.close()
        holder.stderr.close()

    def _start(self) -> None:
        self._holder = holder = subprocess.Popen(
            [*self.base.ssh_command(self.ground), _start_line()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        atexit.register(self.close)
        assert holder.stdout and holder.stderr
        uid, pid = _lines(holder.stdout, 2, holder)
        if not pid.isdecimal():
            said = _last_words(holder)
            self.close()
            raise LabError(
                f"the sandbox could not be made on {self.ground}", detail=said, hint=_start_hint(said, self.ground)
            )
        self.pid = int(pid)
        user = f"{_AS_NOBODY} " if uid == "0" else ""
        target = f"nsenter --target {pid} --user --preserve-credentials --mount --ipc --uts --pid --wd=/"
        self._enter = f"env PATH={SYSTEM_PATH} HOME=/ {user}{target}"


def _start_line() -> str:
    """The line that makes a sandbox, its programs within."""
    files = [path for path in sorted(_PROGRAMS.iterdir()) if path.suffix == ".sh" or path.name == "answer.py"]
    # The shell's own printf: no process for each file.
    write = "\n".join(f"printf %s {shlex.quote(path.read_text('utf-8'))} > {path.name}" for path in files)
    return _START % shlex.quote(_FIRST_PROCESS % write)


def _lines(stream: IO[str], count: int, process: "subprocess.Popen[str]") -> list[str]:
    """The first lines of a stream; empty ones for a process that ends or is silent for too long."""
    watchdog = threading.Timer(START_LIMIT, process.kill)
    watchdog.start()
    try:
        lines = [stream.readline().strip() for _ in range(count)]
    finally:
        watchdog.cancel()
    return lines


def _last_words(process: "subprocess.Popen[str]") -> str:
    """What a process wrote to its standard error before it ended, which it must now."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.communicate(timeout=1)[1].strip() or "it ended without a word"
    process.kill()
    return process.communicate()[1].strip() or f"no answer within {START_LIMIT:g} s"


def _start_hint(said: str, ground: str) -> str:
    """What to do, judged by what `unshare` and `mount` usually mean."""
    if ground != GROUND:
        return f"look around with `lab ssh {ground}`"
    if "too revealing" in said or "mount: /proc" in said:
        return "a container hides parts of /proc: run it outside of the container, or as root"
    if "denied" in said or "not permitted" in said:
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or run it on the lab: lab up"
    return "does `unshare --user --map-root-user --net true` work?"
