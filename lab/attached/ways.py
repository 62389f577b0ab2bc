"""The ways to a node of your own cluster: ssh as your ssh config says, or a privileged pod that enters the node."""

import fnmatch
import re
import shlex
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError

SSH, POD = "ssh", "pod"
CONNECT = 10
"""Seconds until a node's sshd must have answered."""

# Runs here: makes one word of the line that is to run as root there.
_QUOTE = "import os, shlex, sys; *way, begin, line = sys.argv[1:]; "
_QUOTE += "os.execvp(way[0], [*way, begin + shlex.quote(line)])"
# kubectl adds a line of its own to what a command that fails says; no node ever said it.
_QUIET = """\
import re, subprocess, sys
kubectl = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE)
for line in kubectl.stderr:
    if not re.fullmatch(rb"command terminated with exit code \\d+\\n?", line):
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
sys.exit(kubectl.wait())"""
# Alpine's and Debian's busybox both can; where it has no link of that name, it is asked itself.
_ENTER = 'exec $(command -v nsenter || echo busybox nsenter) -t 1 -m -u -i -n -p -- "$@"'
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def hosts(config: Path) -> list[str]:
    """The patterns on the `Host` lines of an ssh config, without those that match every name.

    Raises:
        LabError: The file cannot be read.
    """
    try:
        text = config.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(
            f"the ssh config {config} cannot be read: {getattr(error, 'strerror', error)}",
            hint="name another one, or leave --ssh-config away: nodes are then reached by privileged pods",
        ) from None
    lines = re.findall(r"^\s*Host(?:\s+|\s*=\s*)(.+)$", text, re.IGNORECASE | re.MULTILINE)
    words = [word.strip('"') for line in lines for word in line.split()]
    return [word for word in words if not word.startswith("!") and set(word) != {"*"}]


def host_of(node: str, address: str, patterns: list[str]) -> str:
    """What a node is called in an ssh config; empty when it is not there."""
    for name in (node, address):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            return name
    return ""


class Ssh:
    """A node that is reached by ssh.

    Args:
        node: Its name.
        host: Its name in the ssh config.
        address: Its address, for a config that does not know it.
        config: The ssh config.
        socket: Where the kept connection is.
        sudo: Whether the user there has to become root.
    """

    kind = SSH

    def __init__(self, node: str, host: str, address: str, config: Path, socket: Path, *, sudo: bool = False) -> None:
        self.node, self.host, self.address, self.config, self.socket = node, host, address, config, socket
        self.sudo = sudo

    def _options(self) -> list[str]:
        options = ["-F", str(self.config), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=5"]
        options += ["-o", f"ConnectTimeout={CONNECT}"]
        shown = subprocess.run(
            ["ssh", "-G", "-F", str(self.config), self.host], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if f"hostname {self.host.lower()}" in shown.stdout.splitlines():
            options += ["-o", f"HostName={self.address}"]
        return options

    def connect(self) -> None:
        """Open the kept connection, and find out how to be root there.

        Raises:
            LabError: The node does not answer, refuses the key, or lets this user not be root.
        """
        # An older connection would live on, and nobody would know of it.
        self.close()
        options = self._options()
        command = ["ssh", *options, "-o", f"ControlPath={self.socket}", "-o", "ControlPersist=yes", "-M", "-N", "-f"]
        try:
            done = subprocess.run(
                [*command, self.host], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True, errors="replace", check=False, timeout=2 * CONNECT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise self._unreachable(f"no answer within {2 * CONNECT} s") from None
        except FileNotFoundError:
            raise LabError("this host has no ssh", hint="sudo apt-get install openssh-client") from None
        if done.returncode != 0:
            raise self._failure(done.stderr.strip())
        told = self.raw("id -u; sudo -n true 2>/dev/null && echo sudo").split()
        self.sudo = told[:1] != ["0"]
        if self.sudo and "sudo" not in told:
            raise LabError(
                f"{self.node}: ssh works, but its user may not become root without a password",
                hint=f"let it, or log in as root: see User in {self.config}",
            )

    def _failure(self, said: str) -> LabError:
        by_hand = f"ssh -F {self.config} {self.host}"
        if "Permission denied" in said or "Too many authentication failures" in said:
            return LabError(
                f"{self.node}: ssh refuses the key", detail=said,
                hint=f"is User and IdentityFile in {self.config} right? try it: {by_hand}",
            )  # fmt: skip
        if "Host key verification failed" in said or "host key is known" in said:
            return LabError(f"{self.node}: ssh does not know its host key", detail=said, hint=f"accept it: {by_hand}")
        if re.search(r"no such identity|bad configuration|Bad configuration|Unsupported option", said):
            return LabError(f"{self.node}: ssh cannot use {self.config}", detail=said, hint=f"try it: {by_hand}")
        return self._unreachable(said)

    def _unreachable(self, said: str) -> LabError:
        return LabError(
            f"{self.node}: it is not reached by ssh", detail=said,
            hint=f"try it: ssh -F {self.config} {self.host}; without a Host line for it a pod is taken instead",
        )  # fmt: skip

    def raw(self, line: str) -> str:
        """What a line prints as the user of the ssh config."""
        done = subprocess.run(
            [*self._plain(), line], capture_output=True, text=True, errors="replace", check=False, timeout=30,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.stdout

    def _plain(self) -> list[str]:
        alone = ["-F", str(self.config), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ProxyCommand=false"]
        return ["ssh", *alone, "-o", "ProxyJump=none", "-S", str(self.socket), self.host]

    def connected(self) -> bool:
        """Whether the kept connection is there."""
        check = ["ssh", "-F", str(self.config), "-S", str(self.socket), "-O", "check", self.host]
        return subprocess.run(check, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0

    def command(self) -> list[str]:
        """What runs a shell line as root there; the line comes last."""
        plain = self._plain()
        return [sys.executable, "-c", _QUOTE, *plain, "sudo -n -H sh -c "] if self.sudo else plain

    def shell(self, words: list[str], *, terminal: bool) -> list[str]:
        """What opens a root shell there for a reader, or runs her words."""
        plain = self._plain()
        line = [" ".join(words)] if words else []
        if self.sudo:
            line = ["sudo -n -i" if not line else f"sudo -n -H sh -c {shlex.quote(line[0])}"]
        return [*plain[:-1], *(["-t"] if terminal else []), plain[-1], *line]

    def lost(self, status: int, said: str) -> bool:
        """Whether an exit status tells that the connection is gone, and is not the command's own."""
        return status == 255 and not self.connected()

    def close(self) -> None:
        """End the kept connection."""
        close = ["ssh", "-F", str(self.config), "-S", str(self.socket), "-O", "exit", self.host]
        subprocess.run(close, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.socket.unlink(missing_ok=True)


class Pod:
    """A node that is entered from a privileged pod on it.

    Args:
        node: Its name.
        name: The pod's name.
        namespace: The pod's namespace.
        kubectl: The program.
        kubeconfig: What it asks with.
    """

    kind = POD

    def __init__(self, node: str, name: str, namespace: str, kubectl: Path, kubeconfig: Path) -> None:
        self.node, self.name, self.namespace = node, name, namespace
        self._kubectl = [str(kubectl), "--kubeconfig", str(kubeconfig), "--namespace", namespace]

    def connect(self) -> None:
        """Nothing is kept."""

    def connected(self) -> bool:
        """Whether the pod can be entered."""
        done = subprocess.run(
            [*self.command(), "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=30
        )
        return done.returncode == 0

    def _entered(self, *, terminal: bool) -> list[str]:
        streams = ["--stdin", *(["--tty"] if terminal else [])]
        enter = ["sh", "-c", _ENTER, "enter", "env", "HOME=/root", f"PATH={_PATH}"]
        return [*self._kubectl, "exec", *streams, "--quiet", self.name, "--", *enter]

    def command(self) -> list[str]:
        """What runs a shell line as root on the node; the line comes last."""
        return [sys.executable, "-c", _QUIET, *self._entered(terminal=False), "sh", "-c"]

    def shell(self, words: list[str], *, terminal: bool) -> list[str]:
        """What opens a root shell on the node for a reader, or runs her words."""
        inside = ["sh", "-c", " ".join(words)] if words else ["sh", "-l"]
        return [*self._entered(terminal=terminal), *inside]

    def lost(self, status: int, said: str) -> bool:
        """Whether an exit status tells that the pod was not reached, and is not the command's own."""
        kubectls = ("error: ", "Error from server", "Unable to connect", "The connection to the server")
        return status == 1 and said.startswith(kubectls) and not self.connected()

    def close(self) -> None:
        """Nothing is kept."""


def pod(name: str, node: str, namespace: str, image: str, labels: dict[str, str]) -> dict[str, object]:
    """The privileged pod that a node is entered from."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            # No address of the pod network is taken, and the pod starts even where that network is broken.
            "hostNetwork": True,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Always",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "node",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "2147483647"],
                    "securityContext": {"privileged": True},
                    "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
                }
            ],
        },
    }
