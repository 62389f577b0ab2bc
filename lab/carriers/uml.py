"""Nodes as kernels in user mode: plain processes in namespaces that this lab owns."""

import ctypes
import getpass
import json
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from lab.carriers import Completed, mconsole
from lab.carriers.holder import node_end
from lab.errors import LabError
from lab.paths import real_uid, runtime_dir, state_dir
from lab.spec import Spec, load_spec

SSH_OPTIONS = (
    "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=5", "-o",
    "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes",
)  # fmt: skip
# A socket filter (struct sock_filter, 4 times): load the packet's type, drop what is outgoing (4), keep
# the rest. Without it the kernel's raw transport reads back every frame that it sent itself.
INBOUND_ONLY = struct.pack(
    "=" + "HBBI" * 4, 0x30, 0, 0, 0xFFFFF004, 0x15, 0, 1, 4, 0x06, 0, 0, 0, 0x06, 0, 0, 0x40000
)  # fmt: skip
SPARE = 96
"""MiB that a node keeps free while it returns the rest."""
LOW = 100
"""MB on the disks' own disk below which nodes can hardly write any more."""
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


@dataclass
class State:
    """What is kept about a lab between two commands.

    Attributes:
        pid: The process whose end ends the lab.
        started: That process's start time, in clock ticks since boot: a pid alone may be another's by now.
        init: Process 1 of the lab's namespaces, as this host numbers it.
        kernels: Process of each node's kernel, and its start time.
    """

    pid: int
    started: int
    init: int
    user: str
    uid: int
    workers: int
    products: dict[str, str]
    kernels: dict[str, tuple[int, int]] = field(default_factory=dict)
    phase: str = "starting"
    owner: int = 0
    since: float = 0.0

    def alive(self) -> bool:
        """Whether the lab's process is still the one that was started."""
        return start_time(self.pid) == self.started

    def kernel_alive(self, node: str) -> bool:
        """Whether a node's kernel runs."""
        pid, started = self.kernels.get(node, (0, 0))
        return pid != 0 and start_time(pid) == started


def start_time(pid: int) -> int:
    """Start time of a process in clock ticks since boot; 0 when there is none, or only a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def state_file() -> Path:
    """Where this checkout's State is kept."""
    return state_dir() / "state.json"


def load_state(path: Path | None = None) -> State | None:
    """The state of this checkout's lab, whether it runs or not; None when there is none.

    Args:
        path: Where another carrier keeps it.

    Raises:
        LabError: Another user owns it.
    """
    try:
        data = json.loads((path or state_file()).read_text())
    except FileNotFoundError:
        return None
    except PermissionError:
        owner = state_dir().stat().st_uid
        raise LabError(
            f"the lab of this checkout belongs to another user (uid {owner})",
            hint="let that user run `lab down`, or use your own clone",
        ) from None
    except ValueError:
        return None
    data["kernels"] = {name: tuple(value) for name, value in data["kernels"].items()}
    state = State(**data)
    if state.uid != real_uid() and state.alive():
        raise LabError(
            f"the lab of this checkout was started by {state.user}",
            hint=f"let {state.user} run `lab down`, or use your own clone",
        )
    return state


def full(folder: Path) -> str:
    """That the nodes' disks cannot grow any more, with what helps; empty while they can.

    Args:
        folder: Where the disks are.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e6
    if free >= LOW:
        return ""
    return f"only {free:.0f} MB are free at {folder}, where the nodes' disks grow: free some, then: lab up"


def save_state(state: State, path: Path | None = None) -> None:
    """Keep the state; whole or not at all."""
    path = path or state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_suffix(".new")
    work.write_text(json.dumps(asdict(state), indent=1) + "\n")
    work.replace(path)


class UmlCarrier:
    """The nodes of one checkout's lab."""

    name = "uml"
    recorded = None
    login = 2
    """Seconds in which a node's sshd must have begun to speak; another attempt follows."""

    def __init__(self, spec: Spec, state: State) -> None:
        self.spec, self.state = spec, state
        self.folder = state_dir()
        self.sockets = runtime_dir()

    @classmethod
    def running(cls) -> "UmlCarrier":
        """The carrier of a lab that is up.

        Raises:
            LabError: It is not.
        """
        state = load_state()
        if state is None or not state.alive():
            raise LabError("no lab is running in this checkout", hint="start it: lab up")
        if state.phase != "ready":
            raise LabError("the lab of this checkout is not ready yet", hint="see `lab status`; start again: lab up")
        return cls(load_spec().with_workers(state.workers), state)

    # --- namespaces ---------------------------------------------------------

    @classmethod
    def create(cls, spec: Spec, products: dict[str, str]) -> "UmlCarrier":
        """Make the lab's namespaces and its network.

        Raises:
            LabError: The host forbids namespaces, or lacks a program.
        """
        rootless = ["--user", "--map-root-user"] if os.getuid() else []
        names = [node.name for node in spec.nodes]
        command = [
            "unshare", *rootless, "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
            sys.executable, "-m", "lab.carriers.holder", spec.networks.gateway, str(spec.networks.node_prefix), *names,
        ]  # fmt: skip
        logs = state_dir() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / "network.log"
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream, text=True,
                start_new_session=True, env=env, cwd="/",
            )  # fmt: skip
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            process.kill()
            process.wait()
            said = log.read_text()
            raise LabError(
                "the lab's network namespace could not be made", detail="\n".join(said.splitlines()[-5:]),
                hint="see what this host lacks: lab doctor",
            )  # fmt: skip
        process.stdout.close()
        _let_go(process)
        init = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        state = State(
            pid=process.pid, started=start_time(process.pid), init=init, user=getpass.getuser(), uid=real_uid(),
            workers=len(spec.workers), products=products, owner=os.getpid(), since=time.time(),
        )  # fmt: skip
        save_state(state)
        return cls(spec, state)

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The same command, run in the lab's namespaces."""
        outside = not self._within("user")
        user = ["--user", "--preserve-credentials"] if outside else []
        target = ["nsenter", "--target", str(self.state.init), *user, "--net", "--mount", "--ipc", "--pid"]
        target.append(f"--wd={os.getcwd()}")
        return [*target, *(str(word) for word in command)]

    def enter(self) -> None:
        """Move this process into the lab's network, so that the nodes' addresses answer. Twice does no harm."""
        libc = ctypes.CDLL(None, use_errno=True)
        for name, flag in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
            if self._within(name):
                continue
            with open(f"/proc/{self.state.init}/ns/{name}") as handle:
                if libc.setns(handle.fileno(), flag) != 0:
                    reason = os.strerror(ctypes.get_errno())
                    raise LabError(f"this process cannot enter the lab's {name} namespace: {reason}", hint="lab status")

    def _within(self, kind: str) -> bool:
        """Whether this process is in the lab's namespace of that kind already."""
        return os.stat(f"/proc/{self.state.init}/ns/{kind}").st_ino == os.stat(f"/proc/self/ns/{kind}").st_ino

    def destroy(self) -> None:
        """End every process of the lab at once; disks stay as they are."""
        self._end()
        state_file().unlink(missing_ok=True)

    def _end(self) -> None:
        if self.state.alive():
            os.kill(self.state.pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while self.state.alive() or start_time(self.state.init):
                if time.monotonic() > deadline:
                    raise LabError(f"the lab's process {self.state.pid} does not end", hint="look at it: ps aux")
                _reap(self.state.pid)
                time.sleep(0.02)
        shutil.rmtree(self.sockets, ignore_errors=True)

    # --- nodes --------------------------------------------------------------

    def disk(self, node: str) -> Path:
        """A node's copy-on-write disk."""
        return self.folder / "disks" / f"{node}.cow"

    def console(self, node: str) -> Path:
        """What a node's kernel and its init printed."""
        return self.folder / "logs" / f"{node}.console.log"

    def alive(self, node: str) -> bool:
        """Whether a node's kernel runs."""
        return self.state.kernel_alive(node)

    def log(self, node: str) -> Path | None:
        """A node's console, once it was started."""
        path = self.console(node)
        return path if path.exists() else None

    def boot(self, node: str, *, kernel: Path, base: Path) -> None:
        """Start a node's kernel; returns at once."""
        spec = self.spec.node(node)
        shared = self.folder / "nodes" / node
        order = [each.name for each in self.spec.nodes].index(node)
        cores = sorted(os.sched_getaffinity(0))
        # The control plane has the first core for itself, the workers share the others.
        core = cores[0] if order == 0 or len(cores) == 1 else cores[1 + (order - 1) % (len(cores) - 1)]
        uml = self.sockets / "uml"
        uml.mkdir(exist_ok=True)
        shutil.rmtree(uml / node, ignore_errors=True)
        inbound = self.sockets / "inbound.bpf"
        inbound.write_bytes(INBOUND_ONLY)
        self.console(node).parent.mkdir(parents=True, exist_ok=True)
        self.disk(node).parent.mkdir(parents=True, exist_ok=True)
        command = [
            "taskset", "--cpu-list", str(core), str(kernel), f"mem={spec.memory}M",
            f"ubd0={self.disk(node)},{base}", "root=/dev/ubda", "rw",
            f"vec0:transport=raw,ifname={node_end(node)},mac={spec.mac},bpffile={inbound}", f"hostfs={shared}",
            f"systemd.hostname={node}", "con=null", "con0=null,fd:1", f"umid={node}", f"uml_dir={uml}/",
            "seccomp=auto", "quiet", "systemd.show_status=0", "net.ifnames=0", "panic=1",
        ]  # fmt: skip
        with self.console(node).open("w") as log:
            process = subprocess.Popen(
                self.inside(command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        # nsenter stays as the parent of the kernel, outside of the lab's process namespace.
        deadline = time.monotonic() + 5
        while not (children := _children_of(process.pid)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{node}: its kernel did not start", detail=_tail(self.console(node)), hint="lab doctor")
            time.sleep(0.01)
        _let_go(process)
        self.state.kernels[node] = (children[0], start_time(children[0]))
        save_state(self.state)

    def connect(self, node: str, *, timeout: float) -> None:
        """Open the kept ssh connection to a node, waiting for its sshd.

        Raises:
            LabError: No answer in time; shows the end of the node's console.
        """
        address = self.spec.node(node).address
        deadline = time.monotonic() + timeout
        command = self.inside(
            [
                "ssh", "-o", f"ServerAliveInterval={max(5, self.login)}", *SSH_OPTIONS,
                "-o", f"ConnectTimeout={self.login}",
                "-o", f"UserKnownHostsFile={self.folder / 'known_hosts'}",
                "-i", self.folder / "ssh_key", "-o", f"ControlPath={self._socket(node)}", "-o", "ControlPersist=yes",
                "-M", "-N", "-f", f"root@{address}",
            ]
        )  # fmt: skip
        self._hang_up(node)
        said = ""
        while time.monotonic() < deadline:
            if not self.state.kernel_alive(node):
                raise LabError(f"{node}: its kernel ended", detail=_tail(self.console(node)), hint="lab up --fresh")
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                check=False, timeout=30 + 2 * self.login,
            )  # fmt: skip
            if done.returncode == 0:
                return
            said = done.stderr.strip()
            time.sleep(0.2)
        raise LabError(
            f"{node}: ssh did not answer within {timeout:.0f} s", detail=f"{said}\n{_tail(self.console(node))}",
            hint=f"the node's console: {self.console(node)}",
        )  # fmt: skip

    def _hang_up(self, node: str) -> None:
        """End the kept connection that there was.

        Left alone, the client of a node that died notices it some seconds later, and then removes the socket of
        the connection that has taken its place.
        """
        if self._connected(node):
            exit_request = [*self._ssh_line(node)[:-1], "-O", "exit", "x"]
            subprocess.run(exit_request, capture_output=True, stdin=subprocess.DEVNULL, check=False)
            deadline = time.monotonic() + 5
            while self._connected(node) and time.monotonic() < deadline:
                time.sleep(0.02)
        self._socket(node).unlink(missing_ok=True)

    def _socket(self, node: str) -> Path:
        return self.sockets / f"{node}.ssh"

    def _connected(self, node: str) -> bool:
        """Whether an ssh client listens at the socket of the node's connection."""
        with socket.socket(socket.AF_UNIX) as ours:
            return ours.connect_ex(str(self._socket(node))) == 0

    def ssh_command(self, node: str) -> list[str]:
        """The command line that runs a program on the node, its standard input and output connected.

        A connection that was lost while the kernel runs is opened again.

        Raises:
            LabError: The kernel runs and its sshd does not answer.
        """
        self.spec.node(node)
        if not self._connected(node) and self.state.kernel_alive(node):
            with FileLock(self.sockets / f"{node}.lock"):
                if not self._connected(node):
                    self.connect(node, timeout=15.0 * self.login)
        return self._ssh_line(node)

    def _ssh_line(self, node: str) -> list[str]:
        return [
            "ssh", *SSH_OPTIONS, "-S", str(self._socket(node)), "-o", "ProxyCommand=false",
            f"root@{self.spec.node(node).address}",
        ]  # fmt: skip

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command on a node as root; see `lab.carriers.Carrier.execute`."""
        return self._ssh(node, f"timeout -k 1 {timeout:.0f} sh -c {shlex.quote(command)}", timeout=timeout + 5)

    def send(self, node: str, text: str, path: str) -> None:
        """Write a file on a node, readable by root alone."""
        done = self._ssh(node, f"umask 077; cat > {shlex.quote(path)}", timeout=30, stdin=text)
        if done.status != 0:
            raise LabError(f"{node}: {path} could not be written", detail=done.stderr)

    def _ssh(self, node: str, line: str, *, timeout: float, stdin: str = "") -> Completed:
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [*self.ssh_command(node), line], input=stdin, capture_output=True, text=True, errors="replace",
                timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(
                f"{node}: no answer within {timeout:.0f} s", detail=line, hint=f"is it busy? lab logs {node}"
            ) from None
        if done.returncode == 255 and not self._connected(node):
            lives = self.state.kernel_alive(node)
            last = "" if lives else f"\nits console ended with:\n{_tail(self.console(node), 30)}"
            raise LabError(
                f"{node}: the connection is lost; its kernel {'runs' if lives else 'is dead'}",
                detail=done.stderr.strip() + last, hint=full(self.folder) or "bring it back: lab up",
            )  # fmt: skip
        return Completed(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)

    def give_back_memory(self, node: str) -> None:
        """Return a node's unused memory to this host, and the pages of files that no program has needed since it began.

        What a program still needs of its file it reads again, mostly from this host's own cache.

        Raises:
            LabError: The node does not answer.
        """
        # More is asked for than there is: the write fails when nothing is left that can be taken.
        reclaim = "for each in system kubepods; do echo 2G >/sys/fs/cgroup/$each.slice/memory.reclaim; done 2>/dev/null"
        question = f"sync; {reclaim}; echo 3 >/proc/sys/vm/drop_caches; awk '/^MemFree/ {{print $2}}' /proc/meminfo"
        said = self.execute(node, question, timeout=20)
        if said.status != 0:
            raise LabError(f"{node}: its file cache could not be dropped", detail=said.stderr)
        mconsole.give_back(self.sockets / "uml" / node / "mconsole", int(said.stdout) // 1024 - SPARE)

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; its server answers inside the lab's network only."""
        return self.folder / "kubeconfig"

    def versions(self) -> dict[str, str]:
        """Versions as the programs on the control plane's node report them."""
        node = self.spec.control_plane.name
        wanted = {
            "kubernetes": "kubelet --version | awk '{print $2}'",
            "calico": "/opt/cni/bin/calico -v",
            "bird": "bird --version 2>&1 | awk '{print $NF}'",
            "containerd": "containerd --version | awk '{print $3}'",
            "iptables": "iptables --version | cut -d' ' -f2-",
            "linux": "uname -r",
        }
        script = "; ".join(f"echo {name}=$({command})" for name, command in wanted.items())
        lines = self.execute(node, script).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


def _let_go(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """Tell Python that this process outlives us on purpose, so that it does not warn about it."""
    process.returncode = 0


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _tail(path: Path, lines: int = 8) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
