"""Netlink on a node: pyroute2 here, a 10-line helper there, ssh's standard input and output between them.

The node needs python3 and nothing else. pyroute2 has no types, so `Any` stays
inside this file and frozen dataclasses with names for numbers leave it.
"""

import asyncio
import atexit
import contextlib
import errno
import os
import shlex
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, TypeVar

from lab.capture import Recorded, answer
from lab.errors import LabError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Runs on the node. Each message is a length and the bytes of one netlink datagram.
NODE = """\
import socket,struct,sys,threading
s=socket.socket(16,socket.SOCK_RAW,0);s.setsockopt(1,8,1<<20);s.bind((0,0))
i,o=sys.stdin.buffer,sys.stdout.buffer
def down():
    while True:
        d=s.recv(1<<17);o.write(struct.pack("I",len(d))+d);o.flush()
threading.Thread(target=down,daemon=True).start()
while (h:=i.read(4)): s.sendto(i.read(struct.unpack("I",h)[0]),(0,0))
"""

TABLES = {"default": 253, "main": 254, "local": 255}
IPV4 = 2
_ONLINK = 4
# What the kernel learned about one destination, such as a smaller MTU: no route, and `ip route` leaves it out, too.
_CLONED = 0x200
# Their "address" is an IPv4 address, which pyroute2 shows like an Ethernet address.
_TUNNELS = {"ipip", "gre", "sit"}
_NLMSG_ERROR = 2

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True)
class Route:
    """One IPv4 route, in iproute2's words.

    Attributes:
        dst: `default` or address and length, such as `172.16.196.148/32`.
        gateway: The next hop's address, if there is one.
        dev: The interface; None where packets go nowhere (blackhole).
        proto: Who made it: `kernel`, `boot`, `static`, `bird`, or a number.
        type: `unicast`, `local`, `blackhole`, ...
        scope: `global`, `link`, `host`, ...
        metric: Smaller wins among equal prefixes.
        onlink: Whether the gateway counts as reachable on the interface in any case.
        prefsrc: The source address for packets that the node itself sends.
    """

    dst: str
    gateway: str | None
    dev: str | None
    proto: str
    type: str
    scope: str
    metric: int
    onlink: bool
    prefsrc: str | None


@dataclass(frozen=True)
class Link:
    """One network interface.

    Attributes:
        name: Such as `eth0`.
        index: Its number in this network namespace.
        kind: `veth`, `ipip`, `bridge`, ...; None for a plain device.
        mtu: The largest packet in bytes.
        mac: Its Ethernet address; None where there is none.
        state: `UP`, `DOWN`, `UNKNOWN`, ...
        peer_index: Number of its other end (veth) or lower device.
        netns_id: Number under which this namespace knows the one the peer is in.
    """

    name: str
    index: int
    kind: str | None
    mtu: int
    mac: str | None
    state: str
    peer_index: int | None
    netns_id: int | None


@dataclass(frozen=True)
class Address:
    """One IPv4 address of an interface.

    Attributes:
        address: With its prefix length, such as `172.16.196.148/32`.
        dev: The interface.
        scope: `global`, `link` or `host`.
    """

    address: str
    dev: str
    scope: str


@dataclass(frozen=True)
class Neighbour:
    """One IPv4 neighbour of an interface.

    Attributes:
        address: Its IPv4 address.
        dev: The interface.
        mac: Its Ethernet address, if known.
        state: `REACHABLE`, `STALE`, `FAILED`, `PERMANENT`, ...
    """

    address: str
    dev: str
    mac: str | None
    state: str


class Netlink:
    """Reads the network of one namespace on one node over a kept-open connection.

    Args:
        owner: Whose network it is, for messages: `node01` or `node01/pod2`.
        command: The local command line that runs a remote command given as its last argument.
        enter: Put before the helper's command line on the node, such as `nsenter -t 42 -n `.
        timeout: Seconds that one question may take.
        recorded: Answers that stand in for the node, or None to ask it.
    """

    def __init__(
        self,
        owner: str,
        command: list[str],
        *,
        enter: str = "",
        timeout: float = 15.0,
        recorded: Recorded | None = None,
    ) -> None:
        self._owner = owner
        self._recorded = recorded
        self._command = [*command, f"exec {enter}python3 -uc {shlex.quote(NODE)}"]
        self._timeout = timeout
        self._pipe: _Pipe | None = None
        self._iproute: Any = None
        self._thread: ThreadPoolExecutor | None = None

    def routes(self, table: str | int = "main") -> list[Route]:
        """The IPv4 routes of a table."""
        number = TABLES.get(table) if isinstance(table, str) else table
        if number is None:
            raise LabError(
                f"{self._owner}: no routing table `{table}`", hint=f"one of {', '.join(TABLES)}, or a number"
            )

        def read(ip: Any) -> list[Route]:
            names = _link_names(ip)
            entries = ip.get_routes(family=IPV4, table=number)
            return [_route(entry, names) for entry in entries if not entry["flags"] & _CLONED]

        return self._entries(Route, f"routes {table}", read)

    def links(self) -> list[Link]:
        """The network interfaces."""
        return self._entries(Link, "links", lambda ip: [_link(entry) for entry in ip.get_links()])

    def addresses(self) -> list[Address]:
        """The IPv4 addresses of all interfaces."""

        def read(ip: Any) -> list[Address]:
            names = _link_names(ip)
            return [_address(entry, names) for entry in ip.get_addr(family=IPV4)]

        return self._entries(Address, "addresses", read)

    def neighbours(self) -> list[Neighbour]:
        """The IPv4 neighbours of all interfaces."""

        def read(ip: Any) -> list[Neighbour]:
            names = _link_names(ip)
            return [_neighbour(entry, names) for entry in ip.get_neighbours(family=IPV4)]

        return self._entries(Neighbour, "neighbours", read)

    def close(self) -> None:
        """End the helper on the node."""
        thread, self._thread = self._thread, None
        # At the end of the process, threads take no more work.
        with contextlib.suppress(RuntimeError):
            if thread is not None:
                thread.submit(self._close_here).result()
                thread.shutdown()
        self._close_here()

    def _close_here(self) -> None:
        if self._iproute is not None:
            self._iproute.close()
        if self._pipe is not None:
            self._pipe.close()
        self._iproute = self._pipe = None

    def _entries(self, kind: type[T], question: str, read: Callable[[Any], list[T]]) -> list[T]:
        """Every question goes this way: its answer is put on record, in our words and not in the kernel's bytes.

        So a record is small, readable in a diff, and needs no pyroute2 to be understood.
        """
        reply = answer(
            self._recorded,
            "netlink",
            self._owner,
            question,
            lambda: [asdict(entry) for entry in self._ask(read)],
        )
        try:
            return [kind(**entry) for entry in reply]
        except TypeError as error:
            raise LabError(
                f"{self._owner}: the recorded {question} have another form than this version of `lab` reads",
                detail=str(error),
                hint="capture it again: lab update",
            ) from None

    def _ask(self, question: Callable[[Any], list[T]]) -> list[T]:
        """Ask one question, in a thread of its own where an event loop runs, as in a notebook's kernel."""
        # pyroute2 runs a loop itself, and a thread can run only one.
        if self._thread is None and _loop_runs():
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="netlink")
        return self._thread.submit(self._ask_here, question).result() if self._thread else self._ask_here(question)

    def _ask_here(self, question: Callable[[Any], list[T]]) -> list[T]:
        """Ask one question; a helper that is gone or silent becomes a LabError and a new start next time."""
        if self._iproute is None:
            self._open()
        pipe = self._pipe
        assert pipe is not None
        from pyroute2.netlink.exceptions import NetlinkError

        watchdog = threading.Timer(self._timeout, pipe.stop)
        watchdog.start()
        try:
            return question(self._iproute)
        except (NetlinkError, OSError) as error:
            if pipe.ended:
                raise self._lost(pipe) from error
            raise LabError(f"{self._owner}: the kernel refused a netlink question", detail=str(error)) from error
        finally:
            watchdog.cancel()
            if pipe.ended:
                self._close_here()

    def _open(self) -> None:
        from pyroute2 import IPRoute

        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._pipe = _Pipe(self._command, far)
        self._iproute = IPRoute(use_socket=_Stdio(fileno=near.detach()))
        atexit.register(self.close)

    def _lost(self, pipe: "_Pipe") -> LabError:
        why = f"no answer within {self._timeout:g} s" if pipe.stopped else "the helper there ended"
        node = self._owner.split("/")[0]
        return LabError(
            f"{self._owner}: reading the network over netlink failed: {why}",
            detail=pipe.errors(),
            hint=f"does `lab ssh {node} -- python3 -V` answer?",
        )


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Stdio(socket.socket):
    """One end of a socket pair that passes for a netlink socket."""

    def bind(self, address: Any) -> None:
        """The helper's socket on the node is the one that is bound."""

    def getsockname(self) -> Any:
        return (0, 0)

    def sendto(self, data: Any, *address: Any) -> int:
        return self.send(data)


class _Pipe:
    """Pumps datagrams between a socket and the helper's standard input and output.

    When the helper ends, the question that waits is answered with the netlink
    error ECONNRESET: pyroute2 would wait for ever otherwise.
    """

    def __init__(self, command: list[str], far: socket.socket) -> None:
        self._far = far
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self.ended = False
        self.stopped = False
        self._last = 0
        self._stderr: list[bytes] = []
        self._threads = [
            threading.Thread(target=self._up, args=(self._process.stdin,), daemon=True),
            threading.Thread(target=self._down, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give up on the helper: it is silent."""
        self.stopped = True
        self._kill()

    def close(self) -> None:
        """End the helper and wait for it."""
        self._kill()
        self._process.wait()
        # An empty datagram wakes the thread that waits for a question.
        with contextlib.suppress(OSError):  # the other end was closed first: that wakes it as well
            self._far.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=2)
        self._far.close()

    def _kill(self) -> None:
        # The whole group: a wrapper's child would keep the pipes open.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def errors(self) -> str:
        """What ssh and the helper wrote to their standard error."""
        self._threads[2].join(timeout=1)
        return b"".join(self._stderr).decode(errors="replace").strip()

    def _up(self, stdin: IO[bytes]) -> None:
        while data := self._receive():
            self._last = struct.unpack_from("=I", data, 8)[0]
            try:
                stdin.write(struct.pack("I", len(data)) + data)
                stdin.flush()
            except OSError:
                self.ended = True
            # A process that dies may close its output first, and so take a question that it never answers.
            if self.ended:
                self._refuse()
        # Closing flushes again, and fails again when the helper is gone.
        with contextlib.suppress(OSError):
            stdin.close()

    def _receive(self) -> bytes:
        try:
            return self._far.recv(1 << 17)
        except OSError:
            return b""

    def _down(self, stdout: IO[bytes]) -> None:
        with stdout:
            while len(head := stdout.read(4)) == 4:
                data = stdout.read(struct.unpack("I", head)[0])
                try:
                    self._far.send(data)
                except OSError:
                    break
        self._refuse()

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in stderr:
                self._stderr.append(line)

    def _refuse(self) -> None:
        """Answer the last question with an error message as the kernel would form it."""
        self.ended = True
        header = struct.pack("=IHHII", 36, _NLMSG_ERROR, 0, self._last, 0)
        body = struct.pack("=i", -errno.ECONNRESET) + struct.pack("=IHHII", 16, 0, 0, self._last, 0)
        with contextlib.suppress(OSError):  # nobody asks any more
            self._far.send(header + body)


def _link_names(ip: Any) -> dict[int, str]:
    return {entry["index"]: str(entry.get("ifname")) for entry in ip.get_links()}


def _named(table: dict[Any, Any], number: int) -> str:
    return str(table.get(number, number))


def _scope(number: int) -> str:
    from pyroute2.netlink.rtnl import rt_scope

    return "global" if number == 0 else _named(rt_scope, number)


def _route(entry: Any, names: dict[int, str]) -> Route:
    from pyroute2.netlink.rtnl import rt_proto, rt_type

    dst = entry.get("dst")
    return Route(
        dst=f"{dst}/{entry['dst_len']}" if dst else "default",
        gateway=entry.get("gateway"),
        dev=names.get(entry.get("oif")) if entry.get("oif") else None,
        proto=_named(rt_proto, entry["proto"]),
        type=_named(rt_type, entry["type"]),
        scope=_scope(entry["scope"]),
        metric=int(entry.get("priority") or 0),
        onlink=bool(entry["flags"] & _ONLINK),
        prefsrc=entry.get("prefsrc"),
    )


def _link(entry: Any) -> Link:
    info = entry.get("linkinfo")
    kind = info.get("kind") if info else None
    mac = entry.get("address")
    return Link(
        name=str(entry.get("ifname")),
        index=int(entry["index"]),
        kind=kind,
        mtu=int(entry.get("mtu")),
        mac=mac if mac and len(mac) == 17 and kind not in _TUNNELS else None,
        state=str(entry.get("operstate") or "UNKNOWN"),
        peer_index=entry.get("link") or None,
        netns_id=entry.get("link_netnsid"),
    )


def _address(entry: Any, names: dict[int, str]) -> Address:
    # IFA_LOCAL is the own address; on a point-to-point link IFA_ADDRESS is the peer's.
    own = entry.get("local") or entry.get("address")
    return Address(f"{own}/{entry['prefixlen']}", names[entry["index"]], _scope(entry["scope"]))


def _neighbour(entry: Any, names: dict[int, str]) -> Neighbour:
    from pyroute2.netlink.rtnl.ndmsg import states

    state = next((str(key) for key, bit in states.items() if bit == entry["state"]), str(entry["state"]))
    return Neighbour(str(entry.get("dst")), names[entry["ifindex"]], entry.get("lladdr"), state.upper())
