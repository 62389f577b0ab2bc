"""What carries the nodes, behind one small interface."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.capture import Recorded
from lab.errors import LabError

CARRIERS = {
    "uml": "three kernels in user mode, started by `lab up`",
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


def chosen() -> str:
    """The name of the carrier that LAB_CARRIER asks for.

    Raises:
        LabError: There is none of that name.
    """
    name = os.environ.get("LAB_CARRIER") or "uml"
    if name not in CARRIERS:
        known = "\n".join(f"{known}: {what}" for known, what in CARRIERS.items())
        raise LabError(
            f"there is no carrier {name!r}",
            detail=f"there are:\n{known}",
            hint="name one of them with `--carrier NAME` or LAB_CARRIER=NAME",
        )
    return name


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
    from lab.carriers.uml import UmlCarrier

    return UmlCarrier.running()
