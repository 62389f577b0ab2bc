"""A node of the cluster, as snippets see it: run a command, wait for a state, read its routes and links."""

import contextlib
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from types import TracebackType
from typing import IO, TYPE_CHECKING

from lab import carriers
from lab.capture import Console, Started, Step, answer, clean
from lab.carriers import Carrier, Completed
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.builder import Builder
    from lab.netlink import Address, Link, Neighbour, Netlink, Route

# The same words and widths on every host and for every user.
ENVIRONMENT = "export LC_ALL=C.UTF-8 COLUMNS=80; "

CONSOLE = Console()

TIMED_OUT = 124


@dataclass(frozen=True)
class CommandResult:
    """A command that ended as expected. `str()` of it is its standard output.

    Attributes:
        node: Where it ran, as in the prompt.
        command: The line as a reader would type it.
        status: Its exit status.
        stdout: Its standard output, unchanged.
        stderr: Its standard error, unchanged.
        seconds: How long it took.
    """

    node: str
    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """The lines of the standard output as the transcript shows them, without spaces at their ends."""
        return clean(self.stdout).splitlines()

    def __str__(self) -> str:
        return self.stdout

    def _ipython_display_(self) -> None:
        """In a notebook, nothing follows a cell that ends with a command: its transcript stands there already."""


class CommandError(LabError):
    """A command ended with another status than the snippet expects.

    Attributes:
        result: How it ended.
    """

    def __init__(self, result: CommandResult, *, expected: int, timeout: float) -> None:
        ended = f"exited {result.status}"
        if result.status == TIMED_OUT and result.seconds >= timeout * 0.9:
            ended = f"was stopped: not done within {timeout:g} s"
        elif expected:
            ended += f", expected {expected}"
        detail = f"stderr: {result.stderr.strip()}" if result.stderr.strip() else ""
        if not detail and result.stdout.strip():
            detail = f"stdout: {result.stdout.strip()[-2000:]}"
        super().__init__(f"{result.node}: `{result.command}` {ended}", detail=detail, hint=_hint(result))
        self.result = result


def _hint(result: CommandResult) -> str:
    """What to look at next, judged by what the tools usually mean."""
    words = result.stderr.lower()
    if "command not found" in words or ": not found" in words:
        return "the program is not there; is it spelled right?"
    if "network is unreachable" in words or "no route to host" in words:
        return f"is the pod network up? see `lab status` and `lab logs {result.node.split('/')[0]} kubelet`"
    return f"look around with `lab ssh {result.node.split('/')[0]}`"


class Node:
    """One node.

    ```python
    from lab import cluster

    node01 = cluster.node("node01")
    out = node01.run("ip route show 172.16.196.148")
    print(out.lines)
    #> ['172.16.196.148 dev calibd2348b4f67 scope link']
    ```

    Attributes:
        name: As in cluster.yaml and in the prompt.
        address: Its own address in the node network.
    """

    def __init__(self, name: str, carrier: Carrier, *, address: str = "", console: Console = CONSOLE) -> None:
        self.name = name
        self.address = address
        self._carrier = carrier
        self._console = console

    def __repr__(self) -> str:
        return f"Node({self.name!r})"

    def run(self, command: str, *, status: int = 0, timeout: float = 30.0) -> CommandResult:
        """Run a shell command on this node, show it and its output, and return what it printed.

        Args:
            command: The line as a reader would type it.
            status: The exit status that means success.
            timeout: Seconds before the command is stopped.

        Raises:
            CommandError: The command ended with another status.
        """
        self._console.announce(self.name, command)
        return self._run(command, status=status, timeout=timeout, shown=True)

    def quiet(self, command: str, *, status: int = 0, timeout: float = 30.0) -> CommandResult:
        """Like `run`, but only the receipt names it: for preparation and clean-up.

        Raises:
            CommandError: The command ended with another status.
        """
        return self._run(command, status=status, timeout=timeout, shown=False)

    def wait_until(self, command: str, *, timeout: float = 20.0) -> CommandResult:
        """Repeat a command, without showing it, until it exits 0; the receipt says how many tries that took.

        Args:
            command: The condition, such as `ip link show cali0`.
            timeout: Seconds before this gives up.

        Raises:
            LabError: The condition did not come true; says what the last try printed.
        """
        limit = timeout * carriers.patience()
        end = time.monotonic() + limit
        tries = 0
        while True:
            tries += 1
            done = self._send(command, timeout=max(1.0, min(timeout, end - time.monotonic())))
            if done.status == 0:
                return self._finish(command, done, shown=False, tries=tries)
            if time.monotonic() >= end:
                raise LabError(
                    f"{self.name}: waited {limit:g} s in vain for `{command}` to exit 0",
                    detail=f"last state: exit status {done.status}\n{clean(done.stdout + done.stderr)}",
                    hint=f"look around with `lab ssh {self.name}`",
                )
            time.sleep(0.2)

    def background(
        self, command: str, *, ready: str = "", status: int = 0, timeout: float = 30.0, stop: bool = False
    ) -> "Background":
        """Run a command while the block runs; its line is shown at once, its output when the block ends.

        Args:
            command: The line as a reader would type it, such as `tcpdump -c 2`.
            ready: Text in its standard error that says it is at work; the block begins only then.
            status: The exit status that means success.
            timeout: Seconds before the command is stopped on the node.
            stop: Whether the end of the block interrupts it (Ctrl-C): for a command that has no end.

        Raises:
            CommandError: The command ended with another status.
            LabError: It never said that it is ready.
        """
        kind = Background if self._carrier.recorded is None else Recalled
        return kind(
            self,
            self._carrier,
            self._console,
            command,
            ready=ready,
            status=status,
            timeout=timeout,
            stop=stop,
        )

    def routes(self, table: str | int = "main") -> list["Route"]:
        """The IPv4 routes of a table, in the kernel's order.

        ```python
        from lab import cluster

        for route in cluster.node("node01").routes():
            if route.proto == "bird":
                print(route.type, route.dst, route.gateway, route.dev)
                #> unicast 172.16.49.64/26 192.168.56.10 tunl0
                #> unicast 172.16.140.64/26 192.168.56.12 tunl0
                #> blackhole 172.16.196.128/26 None None
        ```

        Args:
            table: `main`, `local`, `default` or a number.
        """
        return self._netlink.routes(table)

    def links(self) -> list["Link"]:
        """The network interfaces.

        ```python
        from lab import cluster

        mtu = {x.name: x.mtu for x in cluster.node("node01").links()}
        print(mtu["eth0"], mtu["tunl0"])
        #> 1500 1480
        ```
        """
        return self._netlink.links()

    def addresses(self) -> list["Address"]:
        """The IPv4 addresses of all interfaces."""
        return self._netlink.addresses()

    def neighbours(self) -> list["Neighbour"]:
        """The IPv4 neighbours (ARP) of all interfaces."""
        return self._netlink.neighbours()

    @cached_property
    def _netlink(self) -> "Netlink":
        return self._netlink_in("", self.name)

    def builder(self, *namespaces: str) -> "Builder":
        """Its network, to build on; take away what you built.

        Args:
            namespaces: Names of the network namespaces there (`ip netns`) that `net_ns_fd` may take.
        """
        from lab.builder import Builder

        return Builder(self.name, self._carrier, list(namespaces))

    def netlink_of(self, pid: int, owner: str) -> "Netlink":
        """Netlink in the network namespace of a process on this node.

        Args:
            pid: Number of the process.
            owner: Whose namespace it is, for messages and for the record.
        """
        return self._netlink_in(f"nsenter -t {pid} -n ", owner)

    def _netlink_in(self, enter: str, owner: str) -> "Netlink":
        from lab.netlink import Netlink

        recorded = self._carrier.recorded
        command = self._carrier.ssh_command(self.name) if recorded is None else []
        return Netlink(owner, command, enter=enter, recorded=recorded)

    def ask(self, command: str, *, timeout: float = 10.0) -> Completed:
        """Run a command for the lab itself: no step of the snippet, whatever its exit status.

        Raises:
            LabError: The node could not be reached.
        """
        reply = answer(
            self._carrier.recorded,
            "command",
            self.name,
            command,
            lambda: asdict(self._send(command, timeout=timeout)),
        )
        return Completed(**reply)

    def _send(self, command: str, *, timeout: float) -> Completed:
        """The one place where a command leaves for the node."""
        return self._carrier.execute(self.name, ENVIRONMENT + command, timeout=timeout)

    def _run(self, command: str, *, status: int, timeout: float, shown: bool) -> CommandResult:
        result = self._finish(command, self._send(command, timeout=timeout), shown=shown)
        if result.status != status:
            raise self.failure(result, expected=status, timeout=timeout)
        return result

    def failure(self, result: CommandResult, *, expected: int, timeout: float) -> CommandError:
        """The error for a command that ended otherwise than expected."""
        return CommandError(result, expected=expected, timeout=timeout)

    def _finish(self, command: str, done: Completed, *, shown: bool, tries: int = 1) -> CommandResult:
        words = (self.name, command, done.status, done.stdout, done.stderr, done.seconds)
        self._console.finish(Step(*words, shown=shown, tries=tries))
        return CommandResult(*words)


class Background:
    """A command that runs on a node while a block of Python runs; made by `Node.background`."""

    def __init__(
        self,
        node: Node,
        carrier: Carrier,
        console: Console,
        command: str,
        *,
        ready: str,
        status: int,
        timeout: float,
        stop: bool,
    ) -> None:
        self._node = node
        self._carrier = carrier
        self._console = console
        self._command = command
        self._ready = ready
        self._status = status
        self._timeout = timeout * carriers.patience()
        self._stop = stop
        self._early = ""
        self._result: CommandResult | None = None

    @property
    def result(self) -> CommandResult:
        """How it ended; there is one when the block has ended.

        Raises:
            LabError: The block has not ended yet.
        """
        if self._result is None:
            raise LabError(
                f"{self._node.name}: `{self._command}` has no result while it runs",
                hint="read .result after the `with` block",
            )
        return self._result

    def __enter__(self) -> "Background":
        self._begun = time.monotonic()
        self._process = subprocess.Popen(
            [*self._carrier.ssh_command(self._node.name), self._remote()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self._process.stdout and self._process.stderr
        self._stdout = _Reader(self._process.stdout)
        self._stderr = _Reader(self._process.stderr)
        try:
            self._await_start()
        except BaseException:
            self._kill()
            raise
        self._console.start(Started(self._node.name, self._command, self._early))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kill()
            return
        if self._stop:
            self._signal("INT")
        # The node itself ends the command in time; the two seconds are for the way back.
        try:
            status = self._process.wait(max(0.0, self._begun + self._timeout + 2 - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._kill()
            status = TIMED_OUT
        self._stdout.join()
        self._stderr.join()
        seconds = time.monotonic() - self._begun
        self._settle(Completed(status, self._stdout.text, self._stderr.text, seconds))

    def _remote(self) -> str:
        """The node's own shell tells its process id first, so that the command can be stopped later."""
        # The interrupt reaches this shell too: with the trap it ends with its command's own exit status.
        inner = shlex.quote(f"trap : INT; {ENVIRONMENT}{self._command}")
        return f"echo lab-pid $$ >&2; exec timeout -k 1 {self._timeout:g} sh -c {inner}"

    def _await_start(self) -> None:
        limit = min(self._timeout, 10.0 * carriers.patience())
        found = self._stderr.wait_for(r"lab-pid (\d+)\n", limit)
        if found is None:
            raise self._not_started("the node did not answer", limit)
        self._pid = int(found.group(1))
        self._stderr.drop(found.end())
        if self._ready:
            ready = self._stderr.wait_for(rf"{re.escape(self._ready)}[^\n]*\n", limit)
            if ready is None:
                raise self._not_started(f"it did not print `{self._ready}`", limit)
            self._early = self._stderr.text[: ready.end()]

    def _not_started(self, why: str, limit: float) -> LabError:
        # A stream that ended tells that the process ends, a moment before it can be waited for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1 if self._stderr.ended else 0)
        status = self._process.returncode
        ended = f"it exited {status}" if status is not None else f"within {limit:g} s"
        return LabError(
            f"{self._node.name}: `{self._command}` did not start: {why}, {ended}",
            detail=f"stderr: {self._stderr.text.strip()}" if self._stderr.text.strip() else "",
            hint=f"try it by hand: lab ssh {self._node.name}",
        )

    def _signal(self, name: str) -> None:
        # `timeout` passes the signal on to the command that it watches.
        self._carrier.execute(self._node.name, f"kill -{name} {self._pid}", timeout=10.0)

    def _kill(self) -> None:
        if self._process.poll() is None and hasattr(self, "_pid"):
            # Its whole group: a `timeout` that has only just started its command does not pass the signal on.
            group = f"kill -TERM -{self._pid} 2>/dev/null || kill -TERM {self._pid}"
            self._carrier.execute(self._node.name, group, timeout=10.0)
            # Killed at once, `timeout` would not pass the signal on, and its command would run on alone.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
        self._process.kill()
        self._process.wait()
        self._stdout.join()
        self._stderr.join()

    def _settle(self, done: Completed) -> None:
        words = (self._node.name, self._command, done.status, done.stdout, done.stderr, done.seconds)
        self._console.finish(Step(*words, background=True, early=self._early))
        self._result = CommandResult(*words)
        if done.status != self._status:
            raise self._node.failure(self._result, expected=self._status, timeout=self._timeout)


class Recalled(Background):
    """A background command whose end is on record: nothing runs."""

    def __enter__(self) -> Background:
        recorded = self._carrier.recorded
        assert recorded is not None
        reply = dict(recorded.recall("background", self._node.name, self._command))
        self._early = reply.pop("early")
        self._done = Completed(**reply)
        self._console.start(Started(self._node.name, self._command, self._early))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._settle(self._done)


class _Reader:
    """Collects a stream in a thread, so that its text can be looked at while it grows."""

    def __init__(self, stream: IO[str]) -> None:
        self.text = ""
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._pump, args=(stream,), daemon=True)
        self._thread.start()

    def _pump(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._add(line)
        self._add("", ended=True)

    def _add(self, line: str, *, ended: bool = False) -> None:
        with self._changed:
            self.text += line
            self.ended = ended
            self._changed.notify_all()

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str] | None:
        """The first match, or None when the time is over or the stream has ended without one."""
        found: Callable[[], re.Match[str] | None] = lambda: re.search(pattern, self.text)  # noqa: E731
        with self._changed:
            self._changed.wait_for(lambda: found() or self.ended, timeout)
            return found()

    def drop(self, count: int) -> None:
        """Forget the first characters."""
        with self._changed:
            self.text = self.text[count:]

    def join(self) -> None:
        """Wait until all that was written has been read."""
        self._thread.join(timeout=5)
