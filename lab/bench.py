"""`make bench`: how fast the lab starts, how much it takes, and what a step costs."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab import lifecycle, runner, verdicts
from lab.carriers.uml import State, UmlCarrier, load_state
from lab.course import standing
from lab.paths import state_dir
from lab.snippets import discover
from lab.spec import load_spec
from lab.unchanged import proof_for
from lab.worker import Workers

IDLE_SECONDS = 30.0
REST = 60.0
"""Seconds in which what a start leaves to do comes to rest."""
ROUNDS = 20
SCENARIO = "node_port"
"""What stands while the engine is measured."""
FORKS = "python3 -c 'import subprocess\nfor _ in range(100): subprocess.run([\"/bin/true\"])'"


def main() -> None:
    """Measure everything, print a table, write .lab/bench.json."""
    rows: list[tuple[str, float, str, str]] = []

    def add(name: str, value: float, unit: str, goal: str = "") -> None:
        rows.append((name, round(value, 3), unit, goal))
        print(f"{name:<48} {value:>9.2f} {unit:<8} {goal}", flush=True)

    lab = Path(sys.executable).parent / "lab"

    def timed(*words: str) -> float:
        begin = time.monotonic()
        subprocess.run([lab, *words], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return time.monotonic() - begin

    def started(*words: str) -> tuple[float, float, float]:
        """Seconds of a fresh and of a baked start, and MiB of memory at rest."""
        fresh = timed("up", "--fresh", *words)
        timed("down")
        baked = timed("up", *words)
        time.sleep(REST)
        return fresh, baked, lifecycle.memory_of(_state())

    add("lab build, everything cached", timed("build"), "s", "<= 2")
    # First the larger lab: at the end the usual one runs, and its baked disks are kept.
    usual = len(load_spec().workers)
    larger = started("--workers", str(usual + 1))
    timed("down")
    fresh, baked, memory = started()
    add("lab up --fresh", fresh, "s", "<= 150")
    add("lab up, baked disks", baked, "s", "<= 45")
    add("a further worker: --fresh", larger[0] - fresh, "s", "<= 10")
    add("a further worker: baked disks", larger[1] - baked, "s", "<= 10")
    add("memory of the nodes, proportional set size", memory, "MiB", "<= 2560")
    add("a further worker: memory", larger[2] - memory, "MiB", "<= 500")
    state, carrier = _state(), UmlCarrier.running()
    carrier.enter()
    add("idle CPU of all nodes", _idle(state), "% core", "<= 15")
    node = carrier.spec.workers[0].name
    add("a step over the kept connection", _median(lambda: carrier.execute(node, "true")) * 1000, "ms")
    inside = float(carrier.execute(node, _timing("sh -c true")).stdout) * 1000
    add("the same command on the node itself", inside, "ms")
    add("cost of a step", rows[-2][1] - rows[-1][1], "ms", "<= 50")
    engine, count = _engine(carrier)
    add(f"the engine, for each of {count} snippets, over bare ssh", engine * 1000, "ms", "<= 100")
    seconds, count = _verify()
    add(f"lab verify, 100 snippets (measured on {count})", seconds / count * 100, "s", "<= 180")
    there = float(carrier.execute(node, _timing(FORKS), timeout=60).stdout)
    here = float(subprocess.run(["sh", "-c", _timing(FORKS)], capture_output=True, text=True, check=True).stdout)
    add("100 fork+exec on a node, against this host", there / here, "times")
    (state_dir() / "bench.json").write_text(
        json.dumps([dict(zip(("name", "value", "unit", "goal"), row, strict=True)) for row in rows], indent=1) + "\n"
    )


def _state() -> State:
    state = load_state()
    assert state is not None, "a lab runs"
    return state


def _timing(command: str) -> str:
    """A shell line that prints how many seconds a command took."""
    nanoseconds = "date +%s%N"
    return f'a=$({nanoseconds}); {command}; b=$({nanoseconds}); awk "BEGIN {{print ($b-$a)/1e9}}"'


def _median(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        action()
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def _engine(carrier: UmlCarrier) -> tuple[float, int]:
    """Seconds that the engine takes for a snippet over its commands one by one, and how many snippets were taken.

    Taken are those of one scenario that only run commands on nodes, one after the other: a bare loop can do the
    same. To the engine belong the snippet's process, its record, the comparison, and the proof that nothing was left.
    """
    nodes = {node.name for node in carrier.spec.nodes}
    taken = {}
    for snippet in discover():
        receipt = json.loads(snippet.receipt.read_text(encoding="utf-8"))
        plain = not receipt["answers"] and ".background(" not in snippet.path.read_text(encoding="utf-8")
        on_nodes = all(step["node"] in nodes and not step.get("pod") for step in receipt["steps"])
        if plain and on_nodes and snippet.scenario == SCENARIO and not snippet.alone:
            taken[snippet] = [(step["node"], step["command"]) for step in receipt["steps"]]
    assert taken, f"no snippet of the scenario {SCENARIO} only runs commands"
    with standing(SCENARIO, carrier), Workers(preload=True) as workers, proof_for(carrier) as proof:
        before = proof.look(whole=False)
        runner.judge(next(iter(taken)), workers=workers, carrier=carrier)  # the first waits for the import
        begin = time.monotonic()
        for snippet in taken:
            verdict = runner.judge(snippet, workers=workers, carrier=carrier)
            assert verdict.result == verdicts.UNCHANGED, verdict
            assert not proof.left(before)
        engine = time.monotonic() - begin
        begin = time.monotonic()
        for steps in taken.values():
            for node, command in steps:
                carrier.execute(node, command)
        bare = time.monotonic() - begin
    return (engine - bare) / len(taken), len(taken)


def _verify() -> tuple[float, int]:
    """Seconds that `lab verify` takes for all snippets that leave the cluster as it is, and how many these are.

    The others stop programs, switch modes and wait for what follows: what they take is what they show.
    """
    usual = [snippet.name for snippet in discover() if not snippet.alone]
    with contextlib.redirect_stdout(None):
        whole = runner.verify(usual)
    assert not whole.failed and not whole.changed, whole
    return whole.seconds, len(usual)


def _idle(state: State) -> float:
    """Percent of one core that all processes of the lab take while nothing happens."""
    ticks = os.sysconf("SC_CLK_TCK")
    before = lifecycle.cpu_ticks(state)
    time.sleep(IDLE_SECONDS)
    return (lifecycle.cpu_ticks(state) - before) / ticks / IDLE_SECONDS * 100


if __name__ == "__main__":
    main()
