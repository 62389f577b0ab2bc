"""Runs snippets: `run` shows one, `update` keeps what they print, `verify` compares and writes nothing."""

import difflib
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lab import carriers, drift, freshness, last, noise, pages, paths, receipt, resume, scenario, verdicts
from lab.attached import needs
from lab.carriers import Carrier
from lab.course import Course, Report, Work, standing
from lab.drift import Finding, Kind
from lab.errors import LabError
from lab.execute import Run, SnippetError, execute
from lab.snippets import Snippet, find, select
from lab.turn import Turn, turn
from lab.verdicts import Verdict
from lab.worker import Workers

JOBS = 4
"""Scenarios that may stand at the same time while outputs are compared."""
FEW = 2


__all__ = ["JOBS", "Report", "Run", "diff", "execute", "outdated", "run", "update", "verify"]


def run(name: str) -> None:
    """Run one snippet and show its transcript while it grows.

    Raises:
        LabError: There is no such snippet, it failed, or no lab is running.
    """
    snippet = find(name)
    snippet.check()
    if carriers.chosen() == "replay":
        # Nothing stands anywhere that a scenario or another run could change.
        execute(snippet, live=True)
        return
    with turn() as mine:
        carrier = _enter()
        _tidy(mine, carrier)
        if why := _skipped([snippet], carrier).get(snippet.name):
            more = f"\nit {snippet.alone}" if snippet.alone else ""
            raise LabError(f"{snippet.name} is skipped on this cluster", detail=why + more, hint=_SKIPPED)
        needed = snippet.scenario
        if needed and scenario.present(needed, carrier):
            # Whoever applied it may still want it: it stays.
            scenario.wait_ready(needed, carrier)
            needed = None
        with standing(needed, carrier):
            execute(snippet, live=True)


def update(names: list[str], *, commit: str | None = None, everything: bool = False) -> Report:
    """Run snippets and keep their transcripts and receipts.

    A transcript in which only noise differs keeps its old lines; its receipt is
    new. A snippet that fails keeps both its files as they are. Every snippet has the
    cluster to itself and its scenario: what is kept is what a reader's lab prints.

    Args:
        names: Chapters or snippets; none means those whose capture is stale or missing.
        commit: What the receipts name as the checkout's commit; None asks git.
        everything: For no names: all, also the fresh ones; goes on with such a run that was interrupted.

    Raises:
        LabError: A name means nothing, no lab is running, it is not of the pinned versions, or this machine would
            answer in its place.
    """
    if carriers.chosen() in ("here", "attached"):
        raise LabError(
            "captures are made on the lab, so that all of the book comes from the same machines",
            hint="start a lab with `lab up --carrier uml`, and leave LAB_CARRIER away; `lab verify` compares",
        )
    chosen = _chosen(names)
    if not names and not everything:
        chosen = _worn(chosen)
    elif not names:
        chosen = resume.remaining(chosen)
    sha = commit or receipt.commit()

    def work(carrier: Carrier) -> _Keeping:
        keeping = _Keeping(carrier, sha)
        if everything and not names:
            resume.begin()
        return keeping

    report = _each(chosen, work) if chosen else Report()
    resume.settle()
    if report.changed:
        print("changed, read the difference before you commit it:")
        for name in report.changed:
            print(f"  {_shown(find(name).out)}")
    return report


def _worn(snippets: list[Snippet]) -> list[Snippet]:
    """Those whose capture is stale or missing; says how many, and why."""
    reasons = {snippet.name: _reasons(snippet) for snippet in snippets}
    worn = [snippet for snippet in snippets if reasons[snippet.name]]
    print(f"{len(snippets) - len(worn)} of {len(snippets)} captures are fresh")
    for reason, count in Counter(reason for found in reasons.values() for reason in found).most_common():
        print(f"  {count} to run again: {reason}")
    if not worn:
        print("nothing to do; all of them anew: lab update --all", flush=True)
    return worn


def _reasons(snippet: Snippet) -> list[str]:
    """Why a capture is not fresh; empty when it is."""
    try:
        return receipt.stale(snippet)
    except LabError as error:
        return [error.summary.removeprefix(f"{snippet.name}: ").removeprefix(f"{snippet.name} ")]


def outdated(age: int | None = None) -> dict[str, list[str]]:
    """The snippets whose captures are stale, missing or damaged, each with what changed.

    Args:
        age: Days after which a capture is too old, too; None for no such limit.

    Raises:
        LabError: There are no snippets.
    """
    found = {}
    for snippet in _chosen([]):
        reasons = _reasons(snippet)
        kept = _kept(snippet)
        if age is not None and kept and (days := freshness.age(kept[1].date)) > age:
            reasons.append(f"captured {days} days ago, more than {age}")
        if reasons:
            found[snippet.name] = reasons
    return found


class _Keeping:
    """What `update` does with each snippet."""

    keeps = True

    def __init__(self, carrier: Carrier, commit: str | None) -> None:
        self._carrier, self._commit = carrier, commit
        self._versions = carrier.versions()
        wrong = freshness.mismatches(self._versions, freshness.pins())
        if wrong:
            raise LabError(
                "this lab is not of the pinned versions; nothing was captured",
                detail="\n".join(wrong),
                hint="make it anew: lab up --fresh",
            )

    def before(self, snippet: Snippet) -> None:
        """Refuse to put another carrier's answers in the place of the kept ones."""
        kept = _kept(snippet)
        carrier = kept[1].carrier if kept else self._carrier.name
        if carrier != self._carrier.name:
            raise LabError(
                f"{snippet.name} was captured on {carrier}, this lab is {self._carrier.name}: its capture stays",
                hint=f"compare: lab verify {snippet.name}; to replace it, remove {_shown(snippet.receipt)} first",
            )

    def run(self, snippet: Snippet, workers: Workers) -> Run:
        """Run it."""
        return execute(snippet, workers=workers)

    def after(self, snippet: Snippet, done: Run) -> str:
        """Keep what it printed."""
        kept = _kept(snippet)
        old = kept[0] if kept else None
        text = done.transcript if old is None else noise.keep_old(old, done.transcript)
        existed = snippet.out.exists()
        new = receipt.make(
            snippet,
            text,
            done.steps,
            done.answers,
            carrier=self._carrier.name,
            versions=self._versions,
            commit=self._commit,
        )
        receipt.save(snippet, text, new)
        return "unchanged" if text == old else "changed" if existed else "new"


def _kept(snippet: Snippet) -> tuple[str, receipt.Receipt] | None:
    """The kept capture; None if there is none, or one that was edited or damaged and lends no lines."""
    try:
        return receipt.load(snippet)
    except LabError:
        return None


def verify(
    names: list[str], *, jobs: int = JOBS, json_file: Path | None = None, junit_file: Path | None = None
) -> Report:
    """Run snippets and compare with what is kept; change nothing of it.

    What each printed is kept as it was, beside the lab's other state (`lab.last`), until the next run.

    Args:
        names: Chapters or snippets; none means all.
        jobs: How many scenarios may stand at the same time; what differs then is run again by itself.
        json_file: Where a report for programs goes.
        junit_file: Where a report for test tools goes.

    Raises:
        LabError: A name means nothing, a report has no folder, or no lab is running.
    """
    verdicts.check_place(json_file, junit_file)
    found: dict[str, Verdict] = {}
    begun = time.monotonic()
    chosen = _chosen(names)
    try:
        report = _each(chosen, lambda carrier: _Comparing(carrier, found, chosen), jobs=jobs)
        for name, why in report.skipped.items():
            found[name] = Verdict(name, verdicts.SKIPPED, 0.0, error=why)
        for name in report.failed:
            error = report.errors.get(name, "it was not run, see the messages above")
            known = found.get(name)
            # What was judged only beside others says why it ran again, not how that ended.
            again = known.again or known.said() if known and name in report.again else ""
            if known is None or known.result != verdicts.FAILED or again != known.again:
                found[name] = Verdict(name, verdicts.FAILED, 0.0, error=error, again=again)
    finally:  # also what was compared until an interruption is told
        for file, write in ((json_file, verdicts.write_json), (junit_file, verdicts.write_junit)):
            if file:
                write(file, [found[name] for name in sorted(found)], seconds=time.monotonic() - begun)
    return report


class _Comparing:
    """What `verify` does with each snippet."""

    keeps = False

    def __init__(self, carrier: Carrier, found: dict[str, Verdict], chosen: list[Snippet]) -> None:
        self._carrier, self._found = carrier, found
        last.forget(chosen)

    def before(self, snippet: Snippet) -> None:
        """There must be something to compare with."""
        receipt.load(snippet)

    def run(self, snippet: Snippet, workers: Workers) -> Verdict:
        """Run it and compare what it prints."""
        return judge(snippet, workers=workers, carrier=self._carrier, keep=last.keep)

    def after(self, snippet: Snippet, verdict: Verdict) -> str:
        """Tell what the comparison came to; a second one says what the first did."""
        if first := self._found.get(snippet.name):
            verdict = replace(verdict, again=first.said())
        self._found[snippet.name] = verdict
        if verdict.result == verdicts.UNCHANGED:
            return "unchanged"
        elsewhere = self._elsewhere(snippet)
        if verdict.result == verdicts.FAILED:
            raise LabError(verdict.error, detail=verdict.text() + elsewhere)
        told = _indented(verdict.text() + elsewhere)
        accept = "" if carriers.own_cluster(self._carrier) else f"accept it with: lab update {snippet.name}"
        whole = f"all that it printed: {_shown(last.path_of(snippet))}\n"
        return f"changed\n{told}{verdict.difference}{whole}{accept}".rstrip()

    def _elsewhere(self, snippet: Snippet) -> str:
        """That a capture comes from another carrier or other versions, if it does."""
        kept = _kept(snippet)
        here = {"carrier": self._carrier.name, **self._carrier.versions()}
        there = {"carrier": kept[1].carrier, **kept[1].versions} if kept else {}
        others = [f"{name} {old}, here {here[name]}" for name, old in there.items() if here.get(name, old) != old]
        return f"it was captured elsewhere: {'; '.join(others)}\n" if others else ""


def judge(
    snippet: Snippet,
    *,
    workers: Workers | None = None,
    carrier: Carrier | None = None,
    keep: Callable[[Snippet, Run], None] = lambda snippet, run: None,
) -> Verdict:
    """Run a snippet, its scenario being there, and say how its answers differ from those that are kept.

    A snippet that fails is judged too, by what it showed until then.

    Args:
        snippet: Its name says whose capture.
        workers: Where its process comes from; None makes one for it alone.
        carrier: What it runs on; the words of a cluster of the reader's own become the book's.
        keep: Is given what it did, before anything is left out of the comparison.
    """
    begun = time.monotonic()
    error, cut = "", False
    findings: list[Finding] = []
    difference = ""
    try:
        old, _ = receipt.load(snippet)
        try:
            run = execute(snippet, workers=workers)
        except SnippetError as failure:
            run, error, cut = failure.run, str(failure), True
        keep(snippet, run)
        new = _in_the_books_words(snippet, run.transcript, carrier)
        findings = drift.explain(old, new, cut=cut)
        difference = "" if cut else diff(snippet, old, new)
        if cut and not findings:
            findings = _broken_claim(snippet, error)
        # A report and CI's log have more readers than the terminal.
        if secret := receipt.find_secret(new) or receipt.find_secret(error):
            findings, difference = [], ""
            error = f"it prints {secret}, which is not shown here; leave it out of what the snippet prints"
    except LabError as failure:
        error = str(failure)
    result = verdicts.FAILED if error else verdicts.CHANGED if difference else verdicts.UNCHANGED
    claims = () if result == verdicts.UNCHANGED else tuple(pages.claims(snippet.name))
    seconds = time.monotonic() - begun
    return Verdict(snippet.name, result, seconds, tuple(findings), claims, difference, error)


def _in_the_books_words(snippet: Snippet, text: str, carrier: Carrier | None) -> str:
    own = carriers.own_cluster(carrier) if carrier else None
    if own is None:
        return text
    from lab.attached.fit import names_in

    files = [snippet.path, *([scenario.path_of(snippet.scenario)] if snippet.scenario else [])]
    names = names_in("\n".join(file.read_text(encoding="utf-8") for file in files))
    return own.fit_for(snippet.scenario).back(text, names)


def _broken_claim(snippet: Snippet, error: str) -> list[Finding]:
    """What the snippet asserts and no output shows, as a finding; none when it failed in another way."""
    lines = [line.strip() for line in error.splitlines()]
    ends = [number for number, line in enumerate(lines) if line.startswith("this does not hold")]
    begins = [number for number, line in enumerate(lines) if line.startswith(f"{snippet.name}.py, line ")]
    if not ends or not begins:
        return []
    said = " ".join(lines[begins[0] + 1 : ends[0]])
    sentence = f"{snippet.name} asserts what does not hold any more: `{said}`"
    return [Finding(Kind.CLAIM_BROKEN, "", snippet.name, said, said, "", sentence)]


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


def diff(snippet: Snippet, old: str, new: str) -> str:
    """What is another now, apart from noise; empty for nothing."""
    kept = noise.keep_old(old, new)
    lines = difflib.unified_diff(
        old.splitlines(),
        kept.splitlines(),
        f"{_shown(snippet.out)} (kept)",
        f"{snippet.name} (now)",
        lineterm="",
        n=2,
    )
    return "".join(f"  {line}\n" for line in lines)


def _chosen(names: list[str]) -> list[Snippet]:
    chosen = select(names)
    if not chosen:
        raise LabError("there are no snippets yet", hint="the first one: snippets/<chapter>/<name>.py")
    return chosen


def _each(chosen: list[Snippet], work: Callable[[Carrier], Work], *, jobs: int = 1) -> Report:
    """Do the work for each snippet; a failure does not stop the others."""
    with turn() as mine:
        carrier = _enter()
        _tidy(mine, carrier)
        skipped = _skipped(chosen, carrier)
        for line in needs.told(skipped, len(chosen)):
            print(line, flush=True)
        chosen = [snippet for snippet in chosen if snippet.name not in skipped]
        if not chosen:
            return Report(skipped=skipped)
        # A few are done sooner than the client is imported in advance.
        with Workers(preload=len(chosen) > FEW) as workers:
            report = Course(carrier, workers, work(carrier), chosen).go(jobs=jobs)
    report.skipped = skipped
    total = len(chosen)
    counts = f"{len(report.changed)} changed, {len(report.unchanged)} unchanged, {len(report.failed)} failed"
    counts += f", {len(skipped)} skipped" if skipped else ""
    print(f"{total} snippet{'s' if total > 1 else ''}: {counts}; {report.seconds:.1f} s", flush=True)
    return report


_SKIPPED = "what the whole book needs and yours lacks: docs/lab/your-cluster.md"


def _skipped(snippets: list[Snippet], carrier: Carrier) -> dict[str, str]:
    """The snippets that a cluster of the reader's own cannot run, each with why."""
    own = carriers.own_cluster(carrier)
    return needs.skipped(snippets, own.lacks) if own else {}


def _enter() -> Carrier:
    if carriers.chosen() == "replay":
        raise LabError(
            "captures are made of what nodes answer, and compared with it",
            hint="start a lab with `lab up`, and leave LAB_CARRIER away; `lab run --carrier replay` needs no lab",
        )
    carrier = carriers.connect()
    carrier.enter()
    return carrier


def _tidy(mine: Turn, carrier: Carrier) -> None:
    """Undo what a killed run left, which every answer after it would show; on this machine itself none stands.

    Raises:
        LabError: It does not go away.
    """
    if not mine.killed or carrier.name == "here":
        return
    from lab import mutate

    print(f"{mine.killed} was killed: removing what its scenarios left", file=sys.stderr, flush=True)
    # First of all: on a cluster that was broken on purpose, routes do not go away with their pods.
    mutate.repair_left(carrier)
    for name in scenario.reset(carrier):
        print(f"deleted {name}", file=sys.stderr, flush=True)
    mine.killed = ""


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else str(path)
