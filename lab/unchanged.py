"""Proof that the cluster is as it was: routes, links, rules of every node, and the objects.

A program on each node (`lab.node_state`) stays connected and tells that node's state when it
is asked; the nodes answer side by side. That takes a few milliseconds where nothing
changed, so it is asked after every snippet, and a snippet that left something is named at once,
not searched for by running a chapter again.
"""

import difflib
import json
import re
import select
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from lab import carriers, objects
from lab.carriers import Carrier, own_cluster, spec_of
from lab.carriers.here import GROUND
from lab.errors import LabError
from lab.objects import Inventory, Objects

SETTLE = 10.0
"""Seconds in which what a snippet undid may still be on its way out, such as a deleted pod's route."""
_ANSWER, _POLL, _SHOWN = 20.0, 0.3, 12

Sections = Mapping[str, Sequence[str]]
Nodes = Mapping[str, Sections]
"""The sections of each node's state, in comparable form."""


@dataclass(frozen=True)
class Noise:
    """One kind of difference that is no change.

    Attributes:
        name: What it is.
        why: Why it comes and goes by itself.
        same: Two texts of iptables-save, or two sections, that are equal apart from it.
        different: Two whose difference must be seen.
    """

    name: str
    why: str
    same: tuple[list[str], list[str]]
    different: tuple[list[str], list[str]]


NOISE = (
    Noise(
        "counters",
        "every packet is counted",
        (["*nat", ":OUTPUT ACCEPT [403:27108]"], ["*nat", ":OUTPUT ACCEPT [500:30000]"]),
        (["*nat", ":OUTPUT ACCEPT [403:27108]"], ["*nat", ":OUTPUT DROP [403:27108]"]),
    ),
    Noise(
        "order of chains",
        "a chain that is made anew is listed last",
        (["*nat", ":KUBE-A - [0:0]", ":KUBE-B - [0:0]"], ["*nat", ":KUBE-B - [0:0]", ":KUBE-A - [0:0]"]),
        (["*nat", ":KUBE-A - [0:0]", ":KUBE-B - [0:0]"], ["*nat", ":KUBE-A - [0:0]"]),
    ),
    Noise(
        "order of Services and of pods' devices",
        "kube-proxy walks a Go map, and Felix sorts by names that end at random; in other chains order counts",
        (
            ["*nat", "-A KUBE-SERVICES -d 10.96.0.1/32 -j A", "-A KUBE-SERVICES -d 10.96.0.10/32 -j B"],
            ["*nat", "-A KUBE-SERVICES -d 10.96.0.10/32 -j B", "-A KUBE-SERVICES -d 10.96.0.1/32 -j A"],
        ),
        (["*nat", "-A FORWARD -j A", "-A FORWARD -j B"], ["*nat", "-A FORWARD -j B", "-A FORWARD -j A"]),
    ),
    Noise(
        "hash of a Calico rule",
        "it follows from the rule and those before it, which are compared themselves",
        (
            ['*nat', '-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT'],
            ['*nat', '-A INPUT -m comment --comment "cali:0000000000000000" -j cali-INPUT'],
        ),
        (
            ['*nat', '-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT'],
            ['*nat', '-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-OUTPUT'],
        ),
    ),
)  # fmt: skip
"""Besides these, a pod's device is known by the pod's address: the names of a Deployment's pods end at random."""

_DEVICE = re.compile(r"^(?P<address>[\d.]+)/32 dev (?P<name>cali[0-9a-f]{11})\b")
_CALICO_HASH = re.compile(r' -m comment --comment "cali:[\w-]{16}"')
_UNORDERED = re.compile(r"KUBE-(?:SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)|cali-.*-dispatch.*")


def comparable(state: Sections) -> dict[str, list[str]]:
    """One node's state without noise."""
    devices = {m["name"]: f"cali<{m['address']}>" for m in map(_DEVICE.match, state.get("routes", [])) if m}
    pattern = re.compile("|".join(devices) or r"(?!)")
    found = {}
    for section, lines in state.items():
        named = [pattern.sub(lambda match: devices[match.group()], line) for line in lines]
        found[section] = _rules(named) if section == "rules" else sorted(named)
    return found


def _rules(lines: Iterable[str]) -> list[str]:
    """The rules grouped by chain, the chains sorted; what other programs than iptables-save print is sorted whole."""
    program, table = "iptables-save", ""
    groups: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        words = _CALICO_HASH.sub("", line).split(" ")
        if line.startswith("## "):
            program = line[3:]
        elif program != "iptables-save":
            groups.setdefault((program, ""), []).append(line.strip())
        elif line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            # A chain's own line comes before its rules.
            groups.setdefault((table, words[0][1:]), []).append(f"policy {words[1]}")
        elif line.startswith("-A"):
            groups.setdefault((table, words[1]), []).append(" ".join(words[2:]))
        elif line != "COMMIT" and not line.startswith("#"):
            groups.setdefault((program, ""), []).append(line)
    return [
        f"{table} {chain}: {line}" if chain else f"{table}: {line}"
        for (table, chain), found in sorted(groups.items())
        for line in (found if chain and not _UNORDERED.fullmatch(chain) else sorted(found))
    ]


def differences(before: Nodes, after: Nodes) -> list[str]:
    """What is another now, line by line: `node01 routes: + 10.0.0.0/8 dev eth0`."""
    found = []
    for node, sections in before.items():
        # A whole state has a section more than a quick one.
        for section in sorted(sections.keys() & after[node].keys()):
            changes = difflib.unified_diff(sections[section], after[node][section], n=0, lineterm="")
            found += [f"{node} {section}: {line[0]} {line[1:]}" for line in list(changes)[2:] if line[0] in "+-"]
    return found


def told(left: Sequence["Left"]) -> str:
    """What is not as it was, for a message: the first of it, and how much more there is."""
    more = len(left) - _SHOWN
    return "\n".join([*(each.text for each in left[:_SHOWN]), *([f"... and {more} more"] if more > 0 else [])])


class Watch:
    """Tells the state of all nodes; keeps one connection to each.

    Args:
        carrier: The running lab.
        nodes: Names of its nodes.
    """

    def __init__(self, carrier: Carrier, nodes: Iterable[str]) -> None:
        program = Path(__file__).with_name("node_state.py").read_text(encoding="utf-8")
        command = f"exec python3 -uc {shlex.quote(program)}"
        self._rules: dict[str, list[str]] = {}
        self._connections: dict[str, _Connection] = {}
        try:
            for node in nodes:
                self._connections[node] = _Connection(node, [*carrier.ssh_command(node), command])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the programs on the nodes, all of them at the same time."""
        for connection in self._connections.values():
            connection.hang_up()
        for connection in self._connections.values():
            connection.close()

    def look(self, *, whole: bool = False) -> Nodes:
        """The state of all nodes, in comparable form.

        Args:
            whole: Look at every process, too.

        Raises:
            LabError: A node does not tell it.
        """
        for connection in self._connections.values():
            connection.ask("whole" if whole else "quick")
        found = {}
        for node, connection in self._connections.items():
            state = json.loads(connection.answer())
            if state["rules"] is None:
                state["rules"] = self._rules[node]
            self._rules[node] = state["rules"]
            found[node] = comparable(state)
        return found


class _Connection:
    """The program on one node, asked by a line and answering by a line."""

    def __init__(self, node: str, command: Sequence[str]) -> None:
        self._node = node
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed in close()
        # In a session of its own: Ctrl-C ends what is run, not the proof that it left nothing.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
        )

    def ask(self, question: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{question}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise self._failure(str(error)) from None

    def answer(self) -> bytes:
        assert self._process.stdout is not None
        stream, found = self._process.stdout.fileno(), b""
        limit = _ANSWER * carriers.patience()
        end = time.monotonic() + limit
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise self._failure(f"no answer within {limit:g} s")
            data = self._process.stdout.read1(1 << 20)  # type: ignore[attr-defined]  # of a buffered stream
            if not data:
                raise self._failure("the program on the node ended")
            found += data
        return found

    def _failure(self, why: str) -> LabError:
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()[-5:]
        return LabError(
            f"{self._node}: its state cannot be read: {why}",
            detail="\n".join(said),
            hint="is it up? see `lab status`",
        )

    def hang_up(self) -> None:
        """Ask no more: the program ends by itself."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def close(self) -> None:
        """Wait for its end."""
        assert self._process.stdout is not None
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


@dataclass(frozen=True)
class State:
    """The state of the cluster.

    Attributes:
        nodes: Of each node.
        objects: Of the API server; None where it was not asked.
    """

    nodes: Nodes
    objects: Objects | None = None


@dataclass(frozen=True)
class Left:
    """One thing that is not as it was.

    Attributes:
        text: What, for a message.
        created: When it was made, in seconds since 1970, if that is known.
    """

    text: str
    created: float | None = None


class Proof:
    """Proves that the cluster is as it was.

    Args:
        carrier: The running lab.
    """

    def __init__(self, carrier: Carrier) -> None:
        with ExitStack() as stack:
            self._inventory = stack.enter_context(Inventory(carrier))
            self._watch = stack.enter_context(Watch(carrier, [node.name for node in spec_of(carrier).nodes]))
            self._open = stack.pop_all()

    def __enter__(self) -> "Proof":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def look(self, *, whole: bool) -> State:
        """The state as it is now.

        Args:
            whole: Ask for objects and for every process, too.

        Raises:
            LabError: A node or the API server does not answer.
        """
        nodes = self._watch.look(whole=whole)
        return State(nodes, self._inventory.look() if whole else None)

    def left(self, before: State) -> list[Left]:
        """What is not as it was, after some time in which it may become so; looks at all that `before` has.

        Raises:
            LabError: A node or the API server does not answer.
        """
        end = time.monotonic() + SETTLE * carriers.patience()
        while found := self._left(before):
            if time.monotonic() >= end:
                break
            time.sleep(_POLL)
        return found

    def _left(self, before: State) -> list[Left]:
        after = self.look(whole=before.objects is not None)
        found = [Left(text) for text in differences(before.nodes, after.nodes)]
        if before.objects is None or after.objects is None:
            return found
        changed = objects.differences(before.objects, after.objects)
        return found + [Left(f"{name} {what}", _made(after.objects.get(name))) for name, what in changed.items()]


class OwnNamespace(Proof):
    """On a cluster that others use too, nodes change all the time: the lab answers for its own namespace."""

    def __init__(self, carrier: Carrier, namespace: str) -> None:
        self._open = ExitStack()
        self._inventory = self._open.enter_context(Inventory(carrier, namespace))

    def look(self, *, whole: bool) -> State:
        """The objects of the namespace, however it was asked."""
        return State({}, self._inventory.look())


class NothingToProve(Proof):
    """Where there is no cluster, none is changed: a sandbox ends with the process that made it."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def look(self, *, whole: bool) -> State:
        """No nodes."""
        return State({})

    def left(self, before: State) -> list[Left]:
        """Nothing."""
        return []


def proof_for(carrier: Carrier) -> Proof:
    """What proves that a run leaves the cluster of this carrier as it was.

    Raises:
        LabError: A node or the API server does not answer.
    """
    own = own_cluster(carrier)
    if own and not own.mine:
        return OwnNamespace(carrier, own.namespace)
    return NothingToProve() if carrier.name == GROUND else Proof(carrier)


def _made(known: objects.Known | None) -> float | None:
    """When an object was made, in seconds since 1970."""
    if known is None or not known.created:
        return None
    return datetime.strptime(known.created, "%Y-%m-%dT%H:%M:%S%z").timestamp()
