"""No nodes: this machine itself is the ground that the sandbox stands on, for an ordinary user and without a lab."""

import os
import subprocess
import time
from pathlib import Path
from typing import NoReturn

from lab.carriers import Completed
from lab.errors import LabError

GROUND = "here"
"""The one place that this carrier knows."""

TOOLS = {
    "conntrack": "conntrack",
    "curl": "curl",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "ps": "procps",
    "python3": "python3",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
"""The programs that sandbox snippets need, and the Debian package of each."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""An ordinary user's own PATH often leaves out the folders where iptables is."""


class HereCarrier:
    """This machine. Only the sandbox can be built on it; whoever asks for the cluster is told so."""

    name = "here"
    recorded = None

    @classmethod
    def ready(cls) -> "HereCarrier":
        """The carrier of this machine.

        Raises:
            LabError: Programs that snippets need are missing.
        """
        import shutil

        missing = {package for tool, package in TOOLS.items() if shutil.which(tool, path=SYSTEM_PATH) is None}
        if missing:
            raise LabError(
                "this machine lacks programs that the sandbox needs",
                detail=f"missing packages: {' '.join(sorted(missing))}",
                hint=f"sudo apt-get install {' '.join(sorted(missing))}",
            )
        return cls()

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command on this machine as yourself; see `lab.carriers.Carrier.execute`."""
        begin = time.monotonic()
        done = subprocess.run(
            ["timeout", "-k", "1", f"{timeout:.0f}", *self.ssh_command(node), command],
            cwd="/", env=_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False,
        )  # fmt: skip
        return Completed(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def ssh_command(self, node: str) -> list[str]:
        """The command line that runs a shell line on this machine."""
        if node != GROUND:
            self._no_cluster(node)
        return ["sh", "-c"]

    def kubeconfig(self) -> Path:
        """There is none."""
        self._no_cluster("the API server")

    def enter(self) -> None:
        """There is no network to enter."""

    def versions(self) -> dict[str, str]:
        """Versions of the programs whose answers the transcripts hold."""
        wanted = {
            "linux": "uname -r",
            "iproute2": "ip -V | sed 's/.*iproute2-//; s/,.*//'",
            "iptables": "iptables --version | cut -d' ' -f2-",
            "conntrack": "conntrack --version | awk '{print $2}'",
        }
        script = "; ".join(f"echo {name}=$({command})" for name, command in wanted.items())
        lines = self.execute(GROUND, script).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _no_cluster(self, whom: str) -> NoReturn:
        raise LabError(
            f"this asks {whom}, and there is no cluster with `--carrier here`",
            hint="start the lab with `lab up` and leave the option out; chapters that need none: namespaces, iptables",
        )


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": SYSTEM_PATH}
