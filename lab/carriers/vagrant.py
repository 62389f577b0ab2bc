"""Nodes as virtual machines that Vagrant makes, with a libvirt of their own in namespaces of this lab."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lab.carriers import Completed
from lab.carriers.uml import State, UmlCarrier, load_state, save_state, start_time
from lab.errors import LabError
from lab.paths import ROOT, real_uid, runtime_dir
from lab.spec import Spec, load_spec
from lab.vagrant import files, holder, tool


def state_file() -> Path:
    """Where the state of this checkout's virtual machines is kept."""
    return files.folder() / "state.json"


class VagrantCarrier(UmlCarrier):
    """The virtual machines of one checkout's lab: reached as the nodes of the other carrier are."""

    name = "vagrant"
    login = 45

    def __init__(self, spec: Spec, state: State) -> None:
        super().__init__(spec, state)
        self.folder = files.folder()
        self.sockets = runtime_dir() / "vm"
        self.sockets.mkdir(mode=0o700, exist_ok=True)

    @classmethod
    def running(cls) -> "VagrantCarrier":
        """The carrier of virtual machines that are up.

        Raises:
            LabError: They are not.
        """
        state = load_state(state_file())
        if state is None or not state.alive():
            raise LabError("no virtual machines run in this checkout", hint="start them: lab up --carrier vagrant")
        if state.phase != "ready":
            raise LabError(
                "the virtual machines of this checkout are not ready yet",
                hint="see `lab status`; start again: lab up --carrier vagrant",
            )
        return cls(load_spec(), state)

    @classmethod
    def create(cls, spec: Spec, products: dict[str, str]) -> "VagrantCarrier":
        """Make the namespaces, and libvirt in them.

        Raises:
            LabError: The host forbids it, or libvirt does not start.
        """
        place = files.folder() / "libvirt"
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        logs = files.folder() / "logs"
        logs.mkdir(exist_ok=True)
        log = logs / "libvirt.log"
        command = [
            "unshare", "--net", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
            sys.executable, "-m", "lab.vagrant.holder", str(place),
        ]  # fmt: skip
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream, text=True,
                start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd="/",
            )  # fmt: skip
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            process.kill()
            process.wait()
            raise LabError(
                "libvirt could not be started in namespaces of its own", detail=log.read_text().strip()[-800:],
                hint=f"logs: {place}/*.log; see also: lab doctor --carrier vagrant",
            )  # fmt: skip
        process.stdout.close()
        process.returncode = 0  # it outlives us on purpose
        init = _first_child(process.pid)
        state = State(
            pid=process.pid, started=start_time(process.pid), init=init, user="root", uid=real_uid(),
            workers=len(spec.workers), products=products, owner=os.getpid(), since=time.time(),
        )  # fmt: skip
        save_state(state, state_file())
        return cls(spec, state)

    def save(self) -> None:
        """Keep the state, with the processes of the machines as they are now."""
        self.state.kernels = {
            node.name: (pid, start_time(pid)) for node in self.spec.nodes if (pid := self._process(node.name))
        }
        save_state(self.state, state_file())

    def _process(self, node: str) -> int:
        """The process of a node's machine, as this host numbers it; 0 when there is none."""
        wanted = f"guest={self.spec.name}-{node},".encode()
        for child in _children(self.state.init):
            with suppress(OSError):
                if wanted in Path(f"/proc/{child}/cmdline").read_bytes():
                    return child
        return 0

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command on a node as root; see `lab.carriers.Carrier.execute`.

        Where the processor is emulated, a command may take as many times longer.
        """
        return super().execute(node, command, timeout=timeout * tool.slowness())

    def vagrant(self, *words: str, alone: bool = False, **others: str) -> list[str]:
        """A command of vagrant, run where this lab's libvirt answers, with the box of the lab whatever LAB_BOX says.

        Args:
            alone: As a reader calls it who has no `lab`: `up` then also makes the cluster.
            others: What else the environment says, such as another box.
        """
        unset = ["LAB_BOX", "LAB_DRIVES"] if alone else ["LAB_BOX"]
        settings = [f"{name}={value}" for name, value in environment().items() if name not in unset]
        settings += [f"{name}={value}" for name, value in others.items()]
        return self.inside(["env", *(f"--unset={name}" for name in unset), *settings, "vagrant", *words])

    def destroy(self) -> None:
        """End every process of the lab at once; disks stay as they are."""
        self._end()
        state_file().unlink(missing_ok=True)

    def connect(self, node: str, *, timeout: float) -> None:
        """Open the kept ssh connection to a node, waiting for its sshd.

        Raises:
            LabError: No answer in time, or the lab's key is refused.
        """
        try:
            super().connect(node, timeout=timeout)
        except LabError as error:
            if "Permission denied" in error.detail:
                raise LabError(f"{node} refuses the lab's ssh key", detail=error.detail, hint=tool.FRESH) from None
            raise

    def console(self, node: str) -> Path:
        """What a machine wrote to its serial console, as libvirt kept it."""
        return self.folder / "libvirt/log/qemu" / f"{self.spec.name}-{node}.log"

    def give_back_memory(self, node: str) -> None:
        """A virtual machine keeps the memory that it has."""


def environment() -> Mapping[str, str]:
    """What vagrant is told by its environment: everything of it stays in this checkout's lab."""
    home = files.folder() / "home"
    return {
        "LAB_DRIVES": "1",
        "LAB_POOL": holder.POOL,
        "LIBVIRT_DEFAULT_URI": holder.URI,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_CWD": str(ROOT),
        "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "VAGRANT_DOTFILE_PATH": str(files.folder() / "machines"),
        "VAGRANT_HOME": str(home),
        "VAGRANT_NO_COLOR": "1",
    }


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _first_child(pid: int) -> int:
    children = _children(pid)
    if not children:
        raise LabError("the namespaces of the virtual machines ended at once", hint="lab doctor --carrier vagrant")
    return children[0]
