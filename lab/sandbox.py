"""The sandbox: a throw-away world of namespaces in which a snippet builds computers and networks.

`from lab import sandbox`. It is made by an ordinary user, on the lab's first
worker or, with LAB_CARRIER=here, on the reader's own machine without any
cluster. It ends with the process that made it.
"""

import re
import subprocess
from functools import cached_property
from typing import TYPE_CHECKING

from lab.carriers import own_cluster
from lab.carriers.here import GROUND
from lab.carriers.sandbox import NAME, SandboxCarrier
from lab.cluster import notebook_shell
from lab.errors import LabError
from lab.node import CommandError, CommandResult, Node

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo

    from lab.builder import Builder


class Host(Node):
    """One computer in the sandbox: a named network namespace. It forwards nothing and knows no IPv6."""

    def __init__(self, name: str, carrier: SandboxCarrier, hosts: list[str]) -> None:
        super().__init__(name, carrier)
        self._hosts = hosts

    @cached_property
    def netlink(self) -> "Builder":
        """Its network, to build on."""
        from lab.builder import Builder

        return Builder(self.name, self._carrier, self._hosts)

    @property
    def _netlink(self) -> "Builder":
        return self.netlink

    def serve(self, port: int) -> None:
        """Start a web server that answers every request with its host's name and the asker's address.

        Args:
            port: The TCP port that it listens on, until the sandbox ends.

        Raises:
            CommandError: The port is taken.
        """
        self.quiet(f"python3 -IS /run/lab/answer.py {self.name} {port}")

    def failure(self, result: CommandResult, *, expected: int, timeout: float) -> CommandError:
        """The error for a command that ended otherwise than expected."""
        error = super().failure(result, expected=expected, timeout=timeout)
        error.hint = "try it by hand in a sandbox of your own: lab sandbox"
        return error


class Sandbox(Host):
    """The sandbox itself: root over namespaces of its own, nobody outside of them."""

    def __init__(self, carrier: SandboxCarrier) -> None:
        super().__init__(NAME, carrier, [])
        self._world = carrier
        self._made: dict[str, Host] = {}

    def host(self, name: str) -> Host:
        """A computer in the sandbox; made when its name is first used, with no interface but `lo`.

        Args:
            name: For the prompt, `ip netns` and `net_ns_fd`: up to 15 lower-case letters, digits and dashes.

        Raises:
            LabError: It cannot be called so.
        """
        if name in self._made:
            return self._made[name]
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,14}", name) or name == NAME:
            raise LabError(
                f"no host of the sandbox can be called {name!r}",
                hint="up to 15 lower-case letters, digits and dashes, a letter first",
            )
        self.quiet(f"sh /run/lab/host.sh {name}")
        return self._made_now(name)

    def world(self, name: str, *hosts: str) -> list[Host]:
        """Build a network of several hosts in one step.

        Args:
            name: The program that builds it: `lab/worlds/NAME.sh`.
            hosts: Names of the hosts that the program makes.

        Raises:
            CommandError: It failed, for example because a host is there already.
        """
        self.quiet(f"sh /run/lab/{name}.sh")
        return [self._made_now(host) for host in hosts]

    def _made_now(self, name: str) -> Host:
        self._hosts.append(name)
        self._made[name] = Host(name, self._world, self._hosts)
        return self._made[name]

    def shell(self) -> int:
        """Open a shell in it for a reader, until she leaves it.

        Returns:
            The shell's exit status.
        """
        carrier = self._world
        # bash gives the terminal back in silence when it ends; dash complains that its old owner is out of sight.
        command = f"PS1='{NAME}$ ' {carrier.inside(NAME)} 'exec bash --norc --noprofile'"
        if own := own_cluster(carrier.base):
            return subprocess.call(own.login(carrier.ground, [command], terminal=True))
        line = list(carrier.base.ssh_command(carrier.ground))
        if carrier.ground != GROUND:
            line[-1:-1] = ["-t"]
        return subprocess.call([*line, command])

    def close(self) -> None:
        """End it now; else it ends with the process that made it. The next use makes a new one."""
        for host in (self, *self._made.values()):
            made = host.__dict__.pop("netlink", None)
            if made is not None:
                made.close()
        self._made.clear()
        self._hosts.clear()
        self._world.close()


sandbox = Sandbox(SandboxCarrier())


def begin_anew(cell: "ExecutionInfo") -> None:
    """In a notebook, a snippet finds an empty sandbox, as it does when it runs alone."""
    if re.search(r"^from lab(?:\.worlds import|.* import .*\bsandbox\b)", cell.raw_cell or "", re.MULTILINE):
        sandbox.close()


def _watch_cells() -> None:
    shell = notebook_shell()
    if shell is not None:
        shell.events.register("pre_run_cell", begin_anew)


_watch_cells()
