"""Up, down, status of the cluster on virtual machines."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from lab import build as making
from lab import carriers, doctor, ready
from lab.bringup import Bringup
from lab.carriers.uml import State, load_state
from lab.carriers.vagrant import VagrantCarrier, state_file
from lab.errors import LabError
from lab.image.steps import default_store
from lab.lifecycle import _memory
from lab.spec import Spec, load_spec
from lab.vagrant import box, files, tool

Report = Callable[[str], None]

MACHINES_LIMIT, HALT_LIMIT, NODE_LIMIT, SSH_LIMIT = 1800.0, 300.0, 900.0, 300.0
"""Seconds that may pass: until all machines are up; until they stop; for kubeadm on one; until ssh answers.

What a node is asked may take longer where the processor is emulated, see `VagrantCarrier.execute`.
"""


@contextmanager
def timed(say: Report, text: str) -> Iterator[None]:
    """Tell that a step begins, and how many seconds it took once it has ended well."""
    begin = time.monotonic()
    say(f"{text} ...")
    yield
    say(f"{text}: {time.monotonic() - begin:.1f} s")


def running() -> VagrantCarrier:
    """The carrier of this checkout's virtual machines.

    Raises:
        LabError: None run.
    """
    return VagrantCarrier.running()


def prepare(say: Report, *, with_box: bool = True, with_products: bool = False) -> None:
    """Have all that the Vagrantfile asks for: the box, or what another box is given, and an archive for each node.

    Raises:
        LabError: Something is missing on this host, or a step failed.
    """
    spec, store = load_spec(), default_store()
    steps = box.box_steps(spec, store) if with_box else []
    if making.missing() or not all(store.has(step) for step in steps):
        doctor.require(build=True, machines=with_box, kernels=with_box)
        making.build(say)
    for step in steps:
        if not store.has(step):
            with timed(say, f"{step.name}, about {step.expected:.0f} s the first time"):
                store.ensure(step)
    if with_box:
        path = store.path(steps[-1]) / "living-book.box"
        files.write_box(f"living-book-{steps[-1].key}", path)
        say(f"the box: {path}")
    files.lay_down(spec, say)
    if with_products:
        files.products(spec, say)


def _require() -> None:
    if os.getuid() != 0:
        raise LabError(
            "the lab's own libvirt wants root: its daemons make bridges and machines",
            hint="sudo -E lab up --carrier vagrant; or with your host's libvirt: vagrant up, see docs/lab/vagrant.md",
        )
    doctor.require(build=False, machines=True)


def up(say: Report, *, fresh: bool = False, workers: int | None = None, **_: Any) -> VagrantCarrier:
    """Bring the virtual machines up, or back to health, and wait until the cluster is truly ready.

    Raises:
        LabError: It is not ready within its limits.
    """
    spec = load_spec()
    if workers not in (None, len(spec.workers)):
        raise LabError(
            "the virtual machines are those of lab/cluster.yaml", hint="describe more or fewer of them there"
        )
    _require()
    begin = time.monotonic()
    if fresh:
        delete(say)
    prepare(say)
    carriers.remember("vagrant")
    bringup = files.bringup(spec, say)
    carrier = machines(spec, bringup, say)
    cluster(carrier, bringup, say)
    say(f"the lab is ready: {time.monotonic() - begin:.1f} s")
    return carrier


def machines(spec: Spec, bringup: Bringup, say: Report) -> VagrantCarrier:
    """Have every machine up, with a kept ssh connection to each."""
    if not tool.kvm():
        say("this machine cannot run guests itself (no usable /dev/kvm): they are emulated, some ten times slower")
    key = (files.folder() / "box.json").read_text() + (files.folder() / "nodes/mark.json").read_text()
    state = load_state(state_file())
    made = files.folder() / "made-of"
    if made.exists() and made.read_text() != key:
        say("the machines were made of another box or for another cluster: making them anew")
        _destroy(state, spec, say)
        state = None
    if state is None or not state.alive():
        with timed(say, "libvirt in a network of its own"):
            carrier = VagrantCarrier.create(spec, {})
    else:
        carrier = VagrantCarrier(spec, state)
    made.write_text(key)
    tool.take_plugins(files.folder() / "home")
    carrier.state.phase = "starting"
    carrier.state.owner = os.getpid()
    with timed(say, f"vagrant up, {len(spec.nodes)} machines"):
        carrier.save()
        tool.run(
            carrier.vagrant("up"), what="vagrant up",
            log=files.folder() / "logs/vagrant.log", limit=MACHINES_LIMIT, say=say,
        )  # fmt: skip
        carrier.save()
    carrier.sockets.mkdir(mode=0o700, exist_ok=True)
    with timed(say, "ssh to every node"), ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: carrier.connect(node.name, timeout=SSH_LIMIT), spec.nodes))
    _check_version(carrier)
    return carrier


def _check_version(carrier: VagrantCarrier) -> None:
    """A machine of another version prints other things than the book: said before, not after."""
    wanted = carrier.spec.versions.kubernetes
    for node in carrier.spec.nodes:
        said = carrier.execute(node.name, ". /etc/os-release; echo $ID $VERSION_ID; kubelet --version", timeout=60)
        system, _, kubelet = said.stdout.strip().partition("\n")
        if system != "debian 13" or kubelet != f"Kubernetes {wanted}":
            raise LabError(
                f"{node.name} is of another version: {system}, {kubelet or 'no kubelet'}",
                detail=f"wanted: debian 13, Kubernetes {wanted}\n{said.stderr}", hint=tool.FRESH,
            )  # fmt: skip


def cluster(carrier: VagrantCarrier, bringup: Bringup, say: Report) -> None:
    """Make the cluster on machines that are up, node after node, and wait until it is ready."""
    spec = carrier.spec
    with timed(say, "kubeadm init, Calico"):
        bringup._must(carrier, spec.control_plane.name, "sh /opt/lab/cluster.sh", limit=NODE_LIMIT)
    take_kubeconfig(carrier)
    for node in spec.workers:  # one after the other: joining costs the control plane most
        with timed(say, f"kubeadm join, {node.name}"):
            bringup._must(carrier, node.name, "sh /opt/lab/cluster.sh", limit=NODE_LIMIT)
    await_ready(carrier, bringup, say)


def take_kubeconfig(carrier: VagrantCarrier) -> None:
    """Fetch what `kubectl` needs to know from the control plane."""
    config = carrier.execute(carrier.spec.control_plane.name, "cat /etc/kubernetes/admin.conf").stdout
    target = carrier.kubeconfig()
    target.unlink(missing_ok=True)
    with open(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as stream:
        stream.write(config)


def await_ready(carrier: VagrantCarrier, bringup: Bringup, say: Report) -> None:
    """Wait until the cluster is truly ready, whoever made it.

    Raises:
        LabError: It is not ready within its limits.
    """
    for condition in ready.CONDITIONS:
        with timed(say, condition.text):
            ready.wait(carrier, condition, bringup.products, patience=tool.slowness())
    carrier.state.phase = "ready"
    carrier.save()


def down(say: Report) -> None:
    """Stop the virtual machines and end all processes; their disks are kept for the next `up`."""
    state = load_state(state_file())
    if state is None:
        carriers.forget()
        say("no virtual machines are running")
        return
    carrier = VagrantCarrier(load_spec(), state)
    if state.alive():
        with timed(say, "vagrant halt"), suppress(LabError):
            tool.run(
                carrier.vagrant("halt"), what="vagrant halt", log=files.folder() / "logs/vagrant.log", limit=HALT_LIMIT
            )
    carrier.destroy()
    carriers.forget()
    say("the virtual machines are down; their disks are kept; again: lab up --carrier vagrant")


def delete(say: Report) -> None:
    """End the virtual machines, and remove their disks, keys and logs; the box in the cache stays."""
    _destroy(load_state(state_file()), load_spec(), say)
    shutil.rmtree(files.folder(), ignore_errors=True)
    carriers.forget()


def _destroy(state: State | None, spec: Spec, say: Report) -> None:
    """End the machines and remove their disks: with their libvirt, which nobody else has."""
    if state is not None:
        VagrantCarrier(spec, state).destroy()
        say("the virtual machines are gone")
    for name in ("libvirt", "machines", "home", "made-of"):
        path = files.folder() / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def status() -> dict[str, Any]:
    """What `lab status` tells: carrier, phase, age, memory and the nodes."""
    state, spec = load_state(state_file()), load_spec()
    if state is None or not state.alive():
        phase = "down" if state is None else "ended (clear away with: lab down)"
        return {"carrier": "vagrant", "phase": phase, "nodes": []}
    carrier = VagrantCarrier(spec, state)
    nodes = [
        {
            "name": node.name,
            "role": node.role,
            "address": node.address,
            "kernel": "runs" if carrier.alive(node.name) else "stopped (bring it back: lab up)",
            "memory_mib": _memory(state.kernels.get(node.name, (0, 0))[0]),
        }
        for node in spec.nodes
    ]
    versions: dict[str, str] = {}
    if state.phase == "ready" and carrier.alive(spec.control_plane.name):
        with suppress(LabError, subprocess.TimeoutExpired):
            versions = carrier.versions()
    return {
        "carrier": "vagrant",
        "phase": state.phase,
        "age_seconds": round(time.time() - state.since),
        "nodes": nodes,
        "memory_mib": sum(int(str(node["memory_mib"])) for node in nodes),
        "versions": versions,
    }
