"""Up, down, status: one lab per checkout, whatever happened to the command before."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lab import ready
from lab.bringup import BOOT_LIMIT, Bringup
from lab.carriers.uml import State, UmlCarrier, full, load_state, start_time
from lab.errors import LabError
from lab.paths import runtime_dir, state_dir
from lab.spec import Spec, load_spec

Report = Callable[[str], None]


@contextmanager
def exclusive() -> Iterator[None]:
    """Only one command at a time starts, stops or repairs this checkout's lab.

    Raises:
        LabError: Another one does.
    """
    folder = state_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise LabError(
            "another `lab` command is starting or stopping this checkout's lab",
            hint="wait for it, then: lab status",
        ) from None
    except PermissionError:
        owner = folder.stat().st_uid
        raise LabError(
            f"the lab of this checkout belongs to another user (uid {owner})",
            hint="let that user run `lab down`, or use your own clone",
        ) from None
    try:
        yield
    finally:
        lock.release()


def running() -> UmlCarrier:
    """The carrier of this checkout's lab.

    Raises:
        LabError: No lab is up.
    """
    return UmlCarrier.running()


def up(say: Report, *, fresh: bool = False, workers: int | None = None) -> UmlCarrier:
    """Bring this checkout's lab up, or back to health.

    A lab that runs is kept; a node whose kernel ended is started again on its disk.

    Raises:
        LabError: It is not ready within its limits.
    """
    spec = load_spec()
    state = load_state()
    if state is not None:
        state = _repair(state, spec, say)
    count = workers if workers is not None else (state.workers if state and not fresh else len(spec.workers))
    spec = spec.with_workers(count)
    bringup = Bringup(spec, say)
    if state is not None and (fresh or state.workers != count or state.products != bringup.keys):
        say("ending the lab that runs, to make another one")
        UmlCarrier(spec, state).destroy()
        state = None
    if state is not None:
        return _revive(bringup, UmlCarrier(spec, state), say)
    begin = time.monotonic()
    bringup.up(fresh=fresh)
    say(f"the lab is ready: {time.monotonic() - begin:.1f} s")
    state = load_state()
    assert state is not None
    return UmlCarrier(spec, state)


def _repair(state: State, spec: Spec, say: Report) -> State | None:
    """Clear away what an interrupted command left; None when nothing usable runs."""
    if state.alive() and state.phase == "ready":
        return state
    if state.alive():
        say("an earlier `lab up` was interrupted: clearing away what it left")
    UmlCarrier(spec, state).destroy()
    return None


def _revive(bringup: Bringup, carrier: UmlCarrier, say: Report) -> UmlCarrier:
    dead = [node.name for node in carrier.spec.nodes if not carrier.state.kernel_alive(node.name)]
    if not dead:
        say("the lab is up already")
        return carrier
    for node in dead:
        with bringup.step(f"{node}: its kernel had ended, boot it again"):
            bringup.boot_node(carrier, node)
            carrier.connect(node, timeout=BOOT_LIMIT)
    for condition in (ready.booted(*dead), *ready.CONDITIONS):
        with bringup.step(condition.text):
            ready.wait(carrier, condition, bringup.products)
    return carrier


def down(say: Report) -> None:
    """End this checkout's lab: no process, namespace, mount or socket of it stays."""
    state = load_state()
    if state is None:
        shutil.rmtree(runtime_dir(), ignore_errors=True)
        say("no lab is running")
        return
    alive = state.alive()
    UmlCarrier(load_spec(), state).destroy()
    shutil.rmtree(state_dir() / "disks", ignore_errors=True)
    say("the lab is down; its baked cluster is kept" if alive else "cleared away what an ended lab had left")


def delete(say: Report) -> None:
    """End the lab and remove all it keeps in this checkout: disks, keys, logs."""
    down(say)
    for path in state_dir().iterdir() if state_dir().exists() else ():
        if path.name == "lock":
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def status() -> dict[str, Any]:
    """What `lab status` tells: carrier, phase, age, memory, the nodes, and whether their disks are full."""
    spec = load_spec()
    state = load_state()
    if state is None or not state.alive():
        phase = "down" if state is None else "ended (clear away with: lab down)"
        return {
            "carrier": "uml",
            "phase": phase,
            "baked": (state_dir() / "baked/mark.json").exists(),
            "warning": full(state_dir()),
            "nodes": [],
        }
    spec = spec.with_workers(state.workers)
    phase = state.phase
    if phase == "starting" and not start_time(state.owner):
        phase = "interrupted (start again: lab up)"
    nodes = [
        {
            "name": node.name,
            "role": node.role,
            "address": node.address,
            "kernel": "runs" if state.kernel_alive(node.name) else "dead (bring it back: lab up)",
            "memory_mib": _memory(state.kernels.get(node.name, (0, 0))[0]),
        }
        for node in spec.nodes
    ]
    versions = UmlCarrier(spec, state).versions() if phase == "ready" and nodes[0]["kernel"] == "runs" else {}
    return {
        "carrier": "uml",
        "phase": phase,
        "warning": full(state_dir()),
        "age_seconds": round(time.time() - state.since),
        "nodes": nodes,
        "memory_mib": sum(int(str(node["memory_mib"])) for node in nodes),
        "versions": versions,
    }


def console(node: str) -> Path | None:
    """What a node's kernel printed last, whether it runs or not; None when it never ran here."""
    path = state_dir() / "logs" / f"{node}.console.log"
    return path if path.exists() else None


def memory_of(state: State) -> int:
    """Proportional set size of all nodes' processes, in MiB."""
    return sum(_pss(pid) for pid in _processes(state)) // 1024


def _processes(state: State) -> list[int]:
    """The nodes' kernels and the processes that are their user halves."""
    kernels = [pid for pid, _ in state.kernels.values()]
    return kernels + [child for pid in kernels for child in _descendants(pid)]


def cpu_ticks(state: State) -> int:
    """Processor time that the nodes have taken, in clock ticks."""
    total = 0
    for pid in _processes(state):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total


def _memory(kernel: int) -> int:
    """Proportional set size of a node's kernel and of the processes that are its user half, in MiB."""
    if not start_time(kernel):
        return 0
    return (_pss(kernel) + sum(_pss(pid) for pid in _descendants(kernel))) // 1024


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _descendants(pid: int) -> list[int]:
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    except OSError:
        pass
    return found
