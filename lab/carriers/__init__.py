"""What carries the nodes, behind one small interface."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


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
    """The nodes, whatever they run on."""

    name: str

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


def connect() -> Carrier:
    """The carrier of this checkout's running lab.

    Raises:
        LabError: No lab is running; says how to start one.
    """
    from lab.carriers.uml import UmlCarrier

    return UmlCarrier.running()
