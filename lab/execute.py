"""Runs one snippet in a process of its own, and says what it showed or why it failed."""

import difflib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from lab import carriers
from lab.capture import Answer, Event, Step, Transcript, read_record, transcript
from lab.errors import LabError
from lab.snippets import Snippet
from lab.worker import Workers

_TAIL = 14


@dataclass(frozen=True)
class Run:
    """One run of one snippet: its transcript, its steps, and what else was answered."""

    transcript: str
    steps: list[Step]
    answers: list[Answer] = field(default_factory=list)


class SnippetError(LabError):
    """A snippet did not run to its end.

    Attributes:
        run: What it did until then.
    """

    def __init__(self, run: Run, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary, detail=detail, hint=hint)
        self.run = run

    @property
    def transcript(self) -> str:
        """What it showed until then."""
        return self.run.transcript


def execute(snippet: Snippet, *, live: bool = False, limit: float | None = None, workers: Workers | None = None) -> Run:
    """Run a snippet in a process of its own, its scenario being there.

    Args:
        snippet: What to run.
        live: Let its transcript go to this process's standard output at once.
        limit: Seconds that it may run; None means its own limit.
        workers: Where its process comes from; None makes one for it alone.

    Raises:
        LabError: It raised, ran over its limit, printed by itself, or showed nothing.
    """
    if workers is None:
        with Workers(preload=False) as own:
            return execute(snippet, live=live, limit=limit, workers=own)
    limit = (snippet.limit if limit is None else limit) * carriers.patience()
    with tempfile.TemporaryDirectory(prefix="living-book-") as name:
        folder = Path(name)
        record = folder / "record.jsonl"
        environment = {"LAB_RECORD": str(record), "LAB_SCENARIO": snippet.scenario or ""}
        ended = workers.run(snippet.path, environment, folder, limit=limit, live=live)
        events = read_record(record)
    run = _run(events)
    if ended.status is None:
        raise SnippetError(
            run,
            f"{snippet.name} ran longer than {limit:g} s and was stopped",
            detail=_last_words(events),
            hint="wait for a condition with node.wait_until, and give commands an end, such as `-c 2`",
        )
    if ended.status != 0:
        raise SnippetError(
            run,
            f"{snippet.name} failed",
            detail="\n".join([*_why(ended.status, ended.errors), "" if live else _last_words(events)]),
            hint=f"run it alone: lab run {snippet.name}",
        )
    if not run.transcript:
        raise LabError(f"{snippet.name} shows nothing", hint="question a node with node.run(...)")
    if not live and ended.printed != run.transcript:
        raise LabError(
            f"{snippet.name} prints by itself; only commands belong into a transcript",
            detail=_own_prints(run.transcript, ended.printed),
            hint="take the print out, or let a node print it: node.run(...)",
        )
    return run


def _run(events: list[Event]) -> Run:
    steps = [event for event in events if isinstance(event, Step)]
    return Run(transcript(events), steps, [event for event in events if isinstance(event, Answer)])


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
