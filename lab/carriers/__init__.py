"""What carries the nodes, behind one small interface."""

import importlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from lab.capture import Recorded
from lab.errors import LabError
from lab.paths import state_dir

if TYPE_CHECKING:
    from lab.carriers.attached import AttachedCarrier
    from lab.spec import Spec

CARRIERS = {
    "uml": "three kernels in user mode, started by `lab up`",
    "vagrant": "three virtual machines, started by `lab up --carrier vagrant`",
    "attached": "a cluster of your own: `lab up --carrier attached --kubeconfig FILE`",
    "replay": "no nodes: the captures answer",
    "here": "no nodes: this machine, for the chapters that build their own network",
}
"""The names that `--carrier` and LAB_CARRIER take, and what each is."""


@dataclass(frozen=True)
class Completed:
    """A command that ended on a node.

    Attributes:
        status: Exit status; 124 when the time limit ended it.
        stdout: What it wrote to its standard output.
        stderr: What it wrote to its standard error.
        seconds: How long it took, measured here.
    """

    status: int
    stdout: str
    stderr: str
    seconds: float


class Carrier(Protocol):
    """The nodes, whatever they run on.

    Attributes:
        name: As on a receipt.
    """

    name: str

    @property
    def recorded(self) -> Recorded | None:
        """The answers that stand in for the nodes; None where there are nodes."""

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command on a node as root.

        A command that exits with another status than 0 does not raise; an
        unreachable node does.

        Args:
            node: Name of the node, as in cluster.yaml.
            command: A line for the node's shell.
            timeout: Seconds before the command is stopped on the node.

        Raises:
            LabError: The node could not be reached.
        """

    def ssh_command(self, node: str) -> list[str]:
        """The command line that runs a program on the node, its standard input and output connected."""

    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig that works from this process."""

    def enter(self) -> None:
        """Move this process into the lab's network, so that the nodes' addresses answer. Twice does no harm."""

    def versions(self) -> dict[str, str]:
        """Versions of what the nodes run, by component, for the receipt."""


class Live(Carrier, Protocol):
    """A carrier whose nodes are there: they can be logged in to, and their API server be asked.

    Attributes:
        spec: The nodes that run now, with their addresses.
        folder: Where this checkout's lab keeps its keys and logs.
    """

    spec: "Spec"
    folder: Path

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The same command, run where the nodes' addresses answer."""

    def alive(self, node: str) -> bool:
        """Whether a node runs, as far as its carrier can see."""

    def log(self, node: str) -> Path | None:
        """The file with a node's last words for one that does not run; None when its carrier keeps none."""


class Lifecycle(Protocol):
    """How one carrier's nodes begin and end: a module of this package or of `lab`."""

    def up(self, say: Callable[[str], None], **options: Any) -> Live:
        """Start the nodes and wait until the cluster is truly ready; what is up already is kept or mended."""

    def down(self, say: Callable[[str], None]) -> None:
        """End what `up` began."""

    def delete(self, say: Callable[[str], None]) -> None:
        """End it, and remove all that this checkout keeps of it."""

    def status(self) -> dict[str, Any]:
        """What `lab status` tells."""

    def running(self) -> Live:
        """The carrier of what is up.

        Raises:
            LabError: Nothing is.
        """


LIFECYCLES = {
    "uml": "lab.lifecycle",
    "vagrant": "lab.vagrant.lifecycle",
    "attached": "lab.carriers.attached",
}
"""The module that begins and ends the nodes of each carrier that has some."""


def lifecycle(name: str) -> Lifecycle:
    """How the nodes of a carrier begin and end.

    Raises:
        LabError: It has no nodes that could.
    """
    if name not in LIFECYCLES:
        raise LabError(
            f"the carrier {name!r} has no nodes to start or to ask",
            hint=f"carriers that have: {', '.join(LIFECYCLES)}",
        )
    return cast(Lifecycle, importlib.import_module(LIFECYCLES[name]))


def own_cluster(carrier: Carrier) -> "AttachedCarrier | None":
    """The carrier of a cluster of the reader's own, whose values are not the book's; None for all others."""
    return cast("AttachedCarrier", carrier) if carrier.name == "attached" else None


def spec_of(carrier: Carrier) -> "Spec":
    """The nodes that snippets see: the book's, or those that play them on a cluster of the reader's own."""
    from lab.spec import load_spec

    own = own_cluster(carrier)
    return own.spec if own else load_spec()


def remember(name: str, **options: Any) -> None:
    """Keep which carrier `lab up` took, so that every later command takes it too.

    Args:
        name: Of the carrier.
        options: What it was told, for its own module to read.
    """
    path = _choice()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    work = path.with_suffix(".new")
    with open(os.open(work, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        json.dump({"carrier": name, **options}, stream, indent=1)
    work.replace(path)


def remembered() -> dict[str, Any]:
    """The carrier that `lab up` took last and what it was told; the embedded one when nothing is kept."""
    try:
        kept: dict[str, Any] = json.loads(_choice().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    return {"carrier": "uml"} | kept


def forget() -> None:
    """The next command takes the embedded carrier again."""
    _choice().unlink(missing_ok=True)


def _choice() -> Path:
    return state_dir() / "carrier.json"


def chosen() -> str:
    """The name of the carrier that LAB_CARRIER asks for, else of the one that `lab up` took last.

    Raises:
        LabError: There is none of that name.
    """
    name = os.environ.get("LAB_CARRIER") or remembered()["carrier"]
    if name not in CARRIERS:
        known = "\n".join(f"{known}: {what}" for known, what in CARRIERS.items())
        raise LabError(
            f"there is no carrier {name!r}",
            detail=f"there are:\n{known}",
            hint="name one of them with `--carrier NAME` or LAB_CARRIER=NAME",
        )
    return name


def patience() -> float:
    """How many times its limit anything may take on the chosen carrier: a command, a snippet, a scenario."""
    if chosen() != "vagrant":
        return 1.0
    from lab.vagrant import tool

    return tool.slowness()


def connect() -> Carrier:
    """The chosen carrier: this checkout's running lab, or the captures.

    Raises:
        LabError: There is no such carrier, no lab is running, or there is no capture; says what to do.
    """
    if chosen() == "replay":
        from lab.carriers import replay

        return replay.connect()
    if chosen() == "here":
        from lab.carriers.here import HereCarrier

        return HereCarrier.ready()
    return lifecycle(chosen()).running()
