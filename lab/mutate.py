"""The mutation check: break the cluster on purpose, and see that the book says so, and names what is broken."""

import json
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from lab import paths, runner, verdicts, witnesses
from lab.carriers import Carrier
from lab.course import standing
from lab.drift import EFFECTS, Finding
from lab.errors import LabError
from lab.mutations import MUTATIONS, Mutation
from lab.snippets import Snippet, discover
from lab.turn import turn
from lab.verdicts import Verdict
from lab.witnesses import Plan

SETTLE = 60.0
"""Seconds that a repaired cluster gets until it is as before."""

Judge = Callable[[Snippet], Verdict]


class RepairError(LabError):
    """The cluster could not be put right again: nothing may be asked of it any more."""


@dataclass
class Report:
    """What a run over several mutations came to.

    Attributes:
        named: Mutations whose finding was the right one, with its sentence.
        faults: What is wrong, in words, for each of the others.
        excused: Mutations that no snippet sees yet, with the reason.
        seconds: How long all took.
    """

    named: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    excused: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def check(
    mutations: Sequence[Mutation], *, sample: int | None = None, seed: int = 0, judge: Judge = runner.judge
) -> Report:
    """Break the running cluster in these ways, one at a time, and repair it each time.

    Args:
        mutations: What is to be done.
        sample: Only so many of those that a snippet sees, drawn by lot.
        seed: Decides the lot: the same seed, the same draw.
        judge: Says how a snippet's answers differ; for tests.

    Raises:
        LabError: No lab is running, or no snippet sees any of these mutations.
        RepairError: The cluster could not be repaired.
    """
    begun = time.monotonic()
    report, plans = prepare(mutations, witnesses.transcripts(discover()))
    if sample is not None:
        # What nobody sees is told by the whole run.
        report = Report()
        plans = random.Random(seed).sample(plans, min(sample, len(plans)))
    if not plans and not report.faults:
        raise LabError("no snippet sees any of these mutations", detail=_lines(report.excused))
    for name, why in report.excused.items():
        print(f"{name}: not covered yet: {why}", flush=True)
    for name, faults in report.faults.items():
        print("\n  ".join([f"{name}: FAILED", *faults]), flush=True)
    if plans:
        with turn() as mine:
            carrier = runner._enter()
            repair_left(carrier)
            runner._tidy(mine, carrier)
            _all(plans, carrier, report, judge)
    report.seconds = time.monotonic() - begun
    print(f"{len(report.named)} named, {len(report.faults)} failed, {len(report.excused)} not covered yet", flush=True)
    return report


def prepare(mutations: Iterable[Mutation], kept: Mapping[Snippet, str]) -> tuple[Report, list[Plan]]:
    """Who must see what; a mutation that nobody sees is a fault, unless its reason is known."""
    report, plans = Report(), []
    for mutation in mutations:
        plan = witnesses.plan(mutation, kept)
        if plan is not None:
            plans.append(plan)
        elif mutation.uncovered:
            report.excused[mutation.name] = mutation.uncovered
        else:
            report.faults[mutation.name] = [f"nobody looks at it: no kept transcript shows that {mutation.breaks}"]
    return report, plans


def _all(plans: list[Plan], carrier: Carrier, report: Report, judge: Judge) -> None:
    """All plans, those of one scenario while it stands."""
    green: set[str] = set()
    plans = sorted(plans, key=lambda plan: (plan.scenario or "", plan.mutation.name))
    for scenario, group in groupby(plans, key=lambda plan: plan.scenario):
        with standing(scenario, carrier):
            for plan in group:
                begun, name = time.monotonic(), plan.mutation.name
                sentence, faults = one(plan, carrier, green, judge)
                if faults:
                    report.faults[name] = faults
                else:
                    report.named[name] = sentence
                told = "\n  ".join(["FAILED", *faults]) if faults else sentence
                print(f"{name:24} {time.monotonic() - begun:5.1f} s  {told}", flush=True)


def one(plan: Plan, carrier: Carrier, green: set[str], judge: Judge) -> tuple[str, list[str]]:
    """One mutation: green before, red with the right finding, green after.

    Args:
        plan: The mutation and its witnesses, their scenario being there.
        carrier: The running lab.
        green: Snippets that were seen green since the last repair; kept up to date.
        judge: Says how a snippet's answers differ.

    Returns:
        The sentence that names what was broken, and what was wrong; nothing was if that is empty.

    Raises:
        RepairError: It could not be repaired.
    """
    mutation = plan.mutation
    before = [judge(snippet) for snippet in plan.witnesses if snippet.name not in green]
    faults = [f"{verdict.snippet} is red before anything is broken: {_why(verdict)}" for verdict in _red(before)]
    if faults:
        return "", faults
    sentence = ""
    try:
        with broken(mutation, carrier):
            found = [judge(snippet) for snippet in plan.witnesses]
            sentence, faults = weigh(mutation, found)
    except RepairError:
        raise
    except LabError as error:
        faults = [str(error)]
    green.difference_update(snippet.name for snippet in plan.witnesses)
    after = [judge(snippet) for snippet in plan.witnesses]
    green.update(verdict.snippet for verdict in after if verdict.result == verdicts.UNCHANGED)
    return sentence, faults + [
        f"{verdict.snippet} stays red after the repair: {_why(verdict)}" for verdict in _red(after)
    ]


def weigh(mutation: Mutation, found: Sequence[Verdict]) -> tuple[str, list[str]]:
    """Whether verdicts on a broken cluster say what was broken.

    Every witness must be red, one must name it, and none may tell of another
    changed state than follows from it. A lost ping is no state: it may be told.

    Returns:
        The sentence that names it, and what is wrong.
    """
    faults = [
        f"{verdict.snippet} stays green: it shows what was broken, and does not see it"
        for verdict in found
        if verdict.result == verdicts.UNCHANGED
    ]
    findings = [finding for verdict in found for finding in verdict.findings]
    named = [finding for finding in findings if _names(finding, mutation)]
    if not named:
        wanted = f"{mutation.kind}: {mutation.subject} on {mutation.place}"
        told = [f"  {finding.kind}: {finding.sentence}" for finding in findings]
        errors = [f"  {verdict.snippet}: {_why(verdict)}" for verdict in found if not verdict.findings]
        faults += [f"no finding says {wanted!r}", *told, *errors]
    allowed = {mutation.kind, *mutation.also} if mutation.also else set()
    for finding in findings:
        if finding.kind not in EFFECTS | allowed and not _names(finding, mutation):
            faults.append(f"this was not broken: {finding.kind}: {finding.sentence}")
    return (named[0].sentence if named else ""), faults


def _names(finding: Finding, mutation: Mutation) -> bool:
    here = finding.node == mutation.place
    return finding.kind == mutation.kind and here and bool(re.fullmatch(mutation.subject, finding.subject))


def _red(found: Iterable[Verdict]) -> list[Verdict]:
    return [verdict for verdict in found if verdict.result != verdicts.UNCHANGED]


def _why(verdict: Verdict) -> str:
    lines = [finding.sentence for finding in verdict.findings] or verdict.error.splitlines()
    return "; ".join(lines[:3]) or verdict.result


# --- breaking and repairing ------------------------------------------------------


@contextmanager
def broken(mutation: Mutation, carrier: Carrier) -> Iterator[None]:
    """The cluster is broken while the block runs, and repaired afterwards whatever happens, also on Ctrl-C.

    Raises:
        LabError: It could not be broken.
        RepairError: It could not be repaired.
    """
    # Whoever comes next can repair what a killed process left behind.
    journal().write_text(json.dumps({"name": mutation.name, "node": mutation.node}) + "\n")
    try:
        for pattern in mutation.stop:
            _do(f"kill -STOP $(pgrep -f '{pattern}')", mutation, carrier)
        for command in mutation.harm:
            _do(command, mutation, carrier)
        yield
    finally:
        with _undisturbed():
            repair(mutation, carrier)
            journal().unlink(missing_ok=True)


def repair(mutation: Mutation, carrier: Carrier) -> None:
    """Undo a mutation, whether it was done whole, by half or not at all; every command is tried.

    Raises:
        RepairError: A command failed, or the cluster did not settle.
    """
    resume = [f"pgrep -f '{pattern}' | xargs -r kill -CONT" for pattern in mutation.stop]
    faults = []
    for command in [*mutation.repair, *resume]:
        try:
            _do(command, mutation, carrier)
        except LabError as error:
            faults.append(str(error))
    if not faults and mutation.settled:
        faults = _unsettled(mutation, carrier)
    if faults:
        raise RepairError(
            f"{mutation.name} could not be repaired on {mutation.node}",
            detail="\n".join(faults),
            hint="try again: lab mutate --repair; or make the cluster anew: lab up --fresh",
        )


def _unsettled(mutation: Mutation, carrier: Carrier) -> list[str]:
    """The nodes where a repaired cluster is not as before when its time is over."""
    from lab.spec import load_spec

    names = [node.name for node in load_spec().nodes]
    end = time.monotonic() + SETTLE
    while left := [name for name in names if carrier.execute(name, mutation.settled, timeout=10).status]:
        if time.monotonic() >= end:
            return [f"{name}: after {SETTLE:g} s this does not hold: {mutation.settled}" for name in left]
        time.sleep(0.5)
    return []


def repair_left(carrier: Carrier) -> str | None:
    """Repair what a run that was killed left broken.

    Returns:
        The mutation's name; None if nothing was left.
    """
    if not journal().exists():
        return None
    left = json.loads(journal().read_text())
    mutation = next(each for each in MUTATIONS if each.name == left["name"])
    with _undisturbed():
        repair(replace(mutation, node=left["node"]), carrier)
        journal().unlink(missing_ok=True)
    print(f"{mutation.name} was left broken on {left['node']} by an earlier run: repaired", flush=True)
    return mutation.name


def journal() -> Path:
    """The file that tells what is broken now."""
    return paths.state_dir() / "mutation.json"


def _do(command: str, mutation: Mutation, carrier: Carrier) -> None:
    done = carrier.execute(mutation.node, command, timeout=30)
    if done.status != 0:
        raise LabError(
            f"{mutation.node}: `{command.splitlines()[0]}` exited {done.status}",
            detail=(done.stderr or done.stdout).strip(),
            hint=f"look around with `lab ssh {mutation.node}`",
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Neither Ctrl-C nor a polite end interrupts the block, or the programs that it starts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def listing() -> list[tuple[str, str, str]]:
    """Each mutation with what it breaks, and who sees it or why nobody does yet."""
    kept = witnesses.transcripts(discover())
    rows = []
    for mutation in MUTATIONS:
        plan = witnesses.plan(mutation, kept)
        seen = ", ".join(snippet.name for snippet in plan.witnesses) if plan else ""
        nobody = mutation.uncovered or "nobody looks at it"
        rows.append((mutation.name, mutation.breaks, seen or f"not covered yet: {nobody}"))
    return rows


def _lines(texts: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {text}" for name, text in texts.items())
