"""Runs snippets: `run` shows one, `update` keeps what they print, `verify` compares and writes nothing."""

import difflib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from lab import carriers, drift, noise, pages, paths, receipt, scenario, verdicts
from lab.capture import Answer, Event, Step, Transcript, read_record, transcript
from lab.carriers import Carrier
from lab.drift import Finding, Kind
from lab.errors import LabError
from lab.snippets import Snippet, find, select
from lab.verdicts import Verdict

LIMIT = 60.0
"""Seconds that one snippet may run."""

_TAIL = 14


@dataclass
class Report:
    """What a run over several snippets came to.

    Attributes:
        changed: Snippets whose transcript is new or another one than the kept one.
        failed: Snippets that could not be run, compared or kept.
        unchanged: All others.
        seconds: How long all took.
    """

    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """One run of one snippet: its transcript, its steps, and what else was answered."""

    transcript: str
    steps: list[Step]
    answers: list[Answer] = field(default_factory=list)


class SnippetError(LabError):
    """A snippet did not run to its end.

    Attributes:
        transcript: What it showed until then.
    """

    def __init__(self, transcript: str, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary, detail=detail, hint=hint)
        self.transcript = transcript


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
    with _alone():
        carrier = _enter()
        needed = snippet.scenario
        if needed and scenario.present(needed, carrier):
            # Whoever applied it may still want it: it stays.
            scenario.wait_ready(needed, carrier)
            needed = None
        with _scenario(needed, carrier):
            execute(snippet, live=True)


def update(names: list[str], *, commit: str | None = None) -> Report:
    """Run snippets and keep their transcripts and receipts.

    A transcript in which only noise differs keeps its old lines; its receipt is
    new. A snippet that fails keeps both its files as they are.

    Args:
        names: Chapters or snippets; none means all.
        commit: What the receipts name as the checkout's commit; None asks git.

    Raises:
        LabError: A name means nothing, or no lab is running.
    """
    sha = commit or receipt.commit()
    versions: dict[str, str] = {}

    def keep(snippet: Snippet, carrier: Carrier) -> str:
        if not versions:
            versions.update(carrier.versions())
        done = execute(snippet)
        old = _kept(snippet)
        text = done.transcript if old is None else noise.keep_old(old, done.transcript)
        existed = snippet.out.exists()
        new = receipt.make(snippet, text, done.steps, done.answers, carrier=carrier.name, versions=versions, commit=sha)
        receipt.save(snippet, text, new)
        return "unchanged" if text == old else "changed" if existed else "new"

    report = _each(names, keep)
    if report.changed:
        print("changed, read the difference before you commit it:")
        for name in report.changed:
            print(f"  {_shown(find(name).out)}")
    return report


def _kept(snippet: Snippet) -> str | None:
    """The kept transcript; None if there is none, or one that was edited or damaged and lends no lines."""
    try:
        return receipt.load(snippet)[0]
    except LabError:
        return None


def verify(names: list[str], *, json_file: Path | None = None, junit_file: Path | None = None) -> Report:
    """Run snippets and compare with what is kept; write nothing but the reports that are asked for.

    Args:
        names: Chapters or snippets; none means all.
        json_file: Where a report for programs goes.
        junit_file: Where a report for test tools goes.

    Raises:
        LabError: A name means nothing, a report has no folder, or no lab is running.
    """
    verdicts.check_place(json_file, junit_file)
    found: dict[str, Verdict] = {}

    def compare(snippet: Snippet, carrier: Carrier) -> str:
        found[snippet.name] = verdict = judge(snippet)
        if verdict.result == verdicts.FAILED:
            raise LabError(verdict.error, detail=verdict.text())
        if verdict.result == verdicts.CHANGED:
            return f"changed\n{_indented(verdict.text())}{verdict.difference}accept it with: lab update {snippet.name}"
        return "unchanged"

    report = _each(names, compare)
    for name in report.failed:
        found.setdefault(name, Verdict(name, verdicts.FAILED, 0.0, error="it was not run, see the messages above"))
    for file, write in ((json_file, verdicts.write_json), (junit_file, verdicts.write_junit)):
        if file:
            write(file, [found[name] for name in sorted(found)], seconds=report.seconds)
    return report


def judge(snippet: Snippet) -> Verdict:
    """Run a snippet, its scenario being there, and say how its answers differ from those that are kept.

    A snippet that fails is judged too, by what it showed until then.
    """
    begun = time.monotonic()
    error, cut = "", False
    findings: list[Finding] = []
    difference = ""
    try:
        old, _ = receipt.load(snippet)
        try:
            new = execute(snippet).transcript
        except SnippetError as failure:
            new, error, cut = failure.transcript, str(failure), True
        findings = drift.explain(old, new, cut=cut)
        difference = "" if cut else diff(snippet, old, new)
        if cut and not findings:
            findings = _broken_claim(snippet, error)
    except LabError as failure:
        error = str(failure)
    result = verdicts.FAILED if error else verdicts.CHANGED if difference else verdicts.UNCHANGED
    claims = () if result == verdicts.UNCHANGED else tuple(pages.claims(snippet.name))
    seconds = time.monotonic() - begun
    return Verdict(snippet.name, result, seconds, tuple(findings), claims, difference, error)


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


def _each(names: list[str], work: Callable[[Snippet, Carrier], str]) -> Report:
    """Do the work for each snippet, grouped by scenario; a failure does not stop the others."""
    chosen = select(names)
    if not chosen:
        raise LabError("there are no snippets yet", hint="the first one: snippets/<chapter>/<name>.py")
    begun = time.monotonic()
    report = Report()
    width = max(len(snippet.name) for snippet in chosen)
    with _alone():
        carrier = _enter()
        for name, group in groupby(sorted(chosen, key=_by_scenario), key=lambda snippet: snippet.scenario):
            _group(name, list(group), carrier, work, report, width)
    report.seconds = time.monotonic() - begun
    total = len(chosen)
    counts = f"{len(report.changed)} changed, {len(report.unchanged)} unchanged, {len(report.failed)} failed"
    print(f"{total} snippet{'s' if total > 1 else ''}: {counts}; {report.seconds:.1f} s", flush=True)
    return report


def _by_scenario(snippet: Snippet) -> tuple[str, str]:
    return snippet.scenario or "", snippet.name


def _group(
    name: str | None,
    snippets: list[Snippet],
    carrier: Carrier,
    work: Callable[[Snippet, Carrier], str],
    report: Report,
    width: int,
) -> None:
    """All snippets of one scenario, while it stands."""
    done: set[str] = set()
    try:
        with _scenario(name, carrier):
            for snippet in snippets:
                done.add(snippet.name)
                _one(snippet, carrier, work, report, width)
    except LabError as error:
        # The scenario itself: what depends on it could not run.
        print(error, flush=True)
        report.failed += [snippet.name for snippet in snippets if snippet.name not in done] or [f"scenario {name}"]


def _one(
    snippet: Snippet, carrier: Carrier, work: Callable[[Snippet, Carrier], str], report: Report, width: int
) -> None:
    begun = time.monotonic()
    try:
        snippet.check()
        result = work(snippet, carrier)
    except LabError as error:
        result = f"FAILED\n{error}"
    word = result.split("\n")[0]
    {"unchanged": report.unchanged, "FAILED": report.failed}.get(word, report.changed).append(snippet.name)
    print(f"{snippet.name:{width}}  {time.monotonic() - begun:5.1f} s  {result}", flush=True)


@contextmanager
def _scenario(name: str | None, carrier: Carrier) -> Iterator[None]:
    """A scenario that stands while the block runs, and is gone afterwards, also after Ctrl-C."""
    if name is None:
        yield
        return
    begun = time.monotonic()
    try:
        scenario.apply(name, carrier)
    except BaseException:
        # Why it failed matters more than that its remains cannot be removed either.
        with suppress(LabError):
            scenario.remove(name, carrier)
        raise
    print(f"scenario {name} is ready after {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        scenario.remove(name, carrier)


@contextmanager
def _alone() -> Iterator[None]:
    """Only one run at a time: two would remove each other's scenarios."""
    from filelock import FileLock, Timeout

    paths.state_dir().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(paths.state_dir() / "snippets.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LabError(
            "snippets of this checkout are being run already",
            hint="wait for the other `lab run, update or verify`, or end the notebook's kernel",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _enter() -> Carrier:
    if carriers.chosen() == "replay":
        raise LabError(
            "captures are made of what nodes answer, and compared with it",
            hint="start a lab with `lab up`, and leave LAB_CARRIER away; `lab run --carrier replay` needs no lab",
        )
    carrier = carriers.connect()
    carrier.enter()
    return carrier


def execute(snippet: Snippet, *, live: bool = False, limit: float = LIMIT) -> Run:
    """Run a snippet as a process of its own, its scenario being there.

    Args:
        snippet: What to run.
        live: Let its transcript go to this process's standard output at once.
        limit: Seconds that it may run.

    Raises:
        LabError: It raised, ran over its limit, printed by itself, or showed nothing.
    """
    with tempfile.TemporaryDirectory(prefix="living-book-") as folder:
        record = Path(folder) / "record.jsonl"
        status, printed, errors = _process(snippet, record, live=live, limit=limit)
        events = read_record(record)
    if status is None:
        raise SnippetError(
            transcript(events),
            f"{snippet.name} ran longer than {limit:g} s and was stopped",
            detail=_last_words(events),
            hint="wait for a condition with node.wait_until, and give commands an end, such as `-c 2`",
        )
    if status != 0:
        raise SnippetError(
            transcript(events),
            f"{snippet.name} failed",
            detail="\n".join([*_why(status, errors), "" if live else _last_words(events)]),
            hint=f"run it alone: lab run {snippet.name}",
        )
    text = transcript(events)
    if not text:
        raise LabError(f"{snippet.name} shows nothing", hint="question a node with node.run(...)")
    if not live and printed != text:
        raise LabError(
            f"{snippet.name} prints by itself; only commands belong into a transcript",
            detail=_own_prints(text, printed),
            hint="take the print out, or let a node print it: node.run(...)",
        )
    steps = [event for event in events if isinstance(event, Step)]
    return Run(text, steps, [event for event in events if isinstance(event, Answer)])


def _process(snippet: Snippet, record: Path, *, live: bool, limit: float) -> tuple[int | None, str, str]:
    """Exit status (None: over its limit), standard output and standard error of the snippet's process."""
    python_path = [str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "LAB_RECORD": str(record),
        "LAB_SCENARIO": snippet.scenario or "",
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    child = subprocess.Popen(
        [sys.executable, str(snippet.path)],
        cwd=paths.ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=None if live else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    status: int | None = None
    try:
        printed, errors = child.communicate(timeout=limit)
        status = child.returncode
    except subprocess.TimeoutExpired:
        _end(child)
        printed, errors = child.communicate()
    finally:
        # Also after Ctrl-C: the child is in a session of its own and does not get it.
        _end(child)
    return status, printed or "", errors or ""


def _end(child: subprocess.Popen[str]) -> None:
    """End the snippet and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _why(status: int, errors: str) -> list[str]:
    lines = errors.strip().splitlines()[-_TAIL:]
    return lines or [f"it was ended by signal {-status}" if status < 0 else f"it exited {status}"]


def _last_words(events: list[Event]) -> str:
    """The end of the transcript so far, so that a failure is seen in its place."""
    page = Transcript()
    lines = "".join(page.add(event) for event in events).splitlines()
    return "\n".join(["the transcript so far ended with:", *(f"  {line}" for line in lines[-6:])]) if lines else ""


def _own_prints(text: str, printed: str) -> str:
    """The lines that no command printed."""
    lines = difflib.ndiff(text.splitlines(), printed.splitlines())
    own = [line[2:] for line in lines if line.startswith("+ ")]
    return "\n".join(f"printed: {line}" for line in own[:5]) or "it printed characters that no command did"


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else str(path)
