"""The reader's cluster beside the book: each snippet is run, and its answers are compared under one renaming."""

import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab import carriers, drift, pages, receipt, runner, verdicts
from lab.carriers import Carrier
from lab.check import identity, report
from lab.check.identity import World
from lab.check.renaming import Renaming, fit
from lab.check.report import EXPECTED, MEANING, SAME, Checked, Report
from lab.drift import Kind
from lab.errors import LabError
from lab.execute import SnippetError, execute
from lab.snippets import Snippet, select
from lab.verdicts import Verdict
from lab.worker import Workers

NOBODY = World()
"""Where there is no cluster, nobody has a name."""


@dataclass(frozen=True)
class Seen:
    """What one snippet showed, not yet judged.

    Attributes:
        snippet: Which one.
        old: The book's transcript.
        new: Yours, as far as it came.
        error: Why it did not run to its end.
        cut: Whether an error ended it early.
        seconds: How long it took.
        book: The book's names while it ran.
        yours: Your cluster's.
    """

    snippet: Snippet
    old: str
    new: str = ""
    error: str = ""
    cut: bool = False
    seconds: float = 0.0
    book: World = NOBODY
    yours: World = NOBODY

    @property
    def known(self) -> Renaming:
        """What the objects of both clusters tell of their names."""
        return identity.with_endpoints(identity.known(self.book, self.yours), self.old)


class Witness:
    """Runs snippets on the reader's cluster, each written in the cluster's own names.

    Args:
        carrier: The running cluster.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._worlds: dict[str | None, tuple[World, World]] = {}
        self._turn = threading.Lock()

    def see(self, snippet: Snippet, *, workers: Workers | None = None) -> Seen:
        """Run a snippet, its scenario being there; a failure is something seen, too.

        Args:
            snippet: Which one.
            workers: Where its process comes from; None makes one for it alone.

        Raises:
            LabError: It has no whole capture.
        """
        begun = time.monotonic()
        old, _ = receipt.load(snippet)
        seen = Seen(snippet, old)
        try:
            book, yours = self._both(snippet.scenario)
            seen = replace(seen, book=book, yours=yours)
            seen = replace(seen, new=_run(snippet, seen.known, workers))
        except SnippetError as failure:
            seen = replace(seen, new=failure.transcript, error=str(failure), cut=True)
        except LabError as failure:
            seen = replace(seen, error=str(failure), cut=True)
        return replace(seen, seconds=time.monotonic() - begun)

    def _both(self, scenario: str | None) -> tuple[World, World]:
        """The names of the book and of the cluster while a scenario stands."""
        if self._carrier.name == "here":
            # No cluster: what snippets build there has the same names everywhere.
            return NOBODY, NOBODY
        with self._turn:
            if scenario not in self._worlds:
                self._worlds[scenario] = identity.of_book([scenario]), identity.of_cluster(self._carrier)
            return self._worlds[scenario]


def _run(snippet: Snippet, known: Renaming, workers: Workers | None) -> str:
    """What a snippet prints, when its strings have the cluster's names in the place of the book's."""
    source = snippet.path.read_text(encoding="utf-8")
    translated = known.apply_to_source(source)
    if translated == source:
        return execute(snippet, workers=workers).transcript
    with tempfile.TemporaryDirectory(prefix="living-book-") as folder:
        path = Path(folder) / snippet.chapter / snippet.path.name
        path.parent.mkdir()
        path.write_text(translated, encoding="utf-8")
        return execute(replace(snippet, path=path), workers=workers).transcript


def weigh(seen: Seen, renaming: Renaming) -> Checked:
    """One verdict: whether anything differs but names and noise."""
    old, name = renaming.apply(seen.old), seen.snippet.name
    found = [] if seen.cut and not seen.new else drift.explain(old, seen.new, cut=seen.cut)
    findings = [finding for finding in found if finding.kind != Kind.COSMETIC]
    if seen.error and not findings:
        findings = runner._broken_claim(seen.snippet, seen.error)
    if not findings and not seen.error:
        same = not drift.explain(seen.old, seen.new)
        return Checked(name, SAME if same else EXPECTED, seen.seconds)
    verdict = Verdict(name, verdicts.CHANGED, seen.seconds, tuple(findings), tuple(pages.claims(name)))
    return Checked(name, MEANING, seen.seconds, report.explain(verdict, renaming), seen.error)


def judged(seen: Sequence[Seen]) -> Report:
    """Verdicts on all that was seen, under one renaming."""
    book, yours = _together(each.book for each in seen), _together(each.yours for each in seen)
    pairs = [(each.known, each.old, each.new) for each in seen]
    fitted = fit(pairs, lambda sort, old, new: identity.allows(book, yours, sort, old, new))
    checked: list[Checked] = []
    changes: dict[str, str] = {}
    faults: list[str] = []
    for each in seen:
        renaming = Renaming({**fitted, **each.known.names})
        checked.append(weigh(each, renaming))
        changes |= {name: new for name, new in renaming.changes.items() if _stands(name, each.old)}
        faults += renaming.clashes()
    owners = {name: what for what, name in {**book.networks, **book.owners}.items()}
    names = report.table(owners, changes)
    return Report(tuple(checked), names, tuple(dict.fromkeys(faults)))


def _together(worlds: Iterable[World]) -> World:
    """The names of several moments of one cluster."""
    found = NOBODY
    for each in worlds:
        found = World(
            {**found.owners, **each.owners},
            {**found.networks, **each.networks},
            found.cables | each.cables,
            found.chains | each.chains,
        )
    return found


def _stands(name: str, transcript: str) -> bool:
    """Whether a name of the book is printed by it."""
    return name in transcript or name.replace(".", "_") in transcript


class _Checking:
    """What `lab check` does with each snippet."""

    keeps = False

    def __init__(self, carrier: Carrier, found: dict[str, Seen]) -> None:
        self._witness, self._found = Witness(carrier), found

    def before(self, snippet: Snippet) -> None:
        """There must be something to compare with."""
        receipt.load(snippet)

    def run(self, snippet: Snippet, workers: Workers) -> Seen:
        """Run it."""
        return self._witness.see(snippet, workers=workers)

    def after(self, snippet: Snippet, seen: Seen) -> str:
        """Keep what it showed; how it is judged depends on all the others."""
        self._found[snippet.name] = seen
        return "unchanged" if weigh(seen, seen.known).result == SAME else "differs; the verdict comes at the end"


def check(names: list[str], *, jobs: int = runner.JOBS) -> Report:
    """Compare the running cluster with the book.

    Args:
        names: Chapters or snippets; none means all.
        jobs: How many scenarios may stand at the same time.

    Raises:
        LabError: A name means nothing, or no lab is running.
    """
    found: dict[str, Seen] = {}
    chosen = select(names)
    done = runner._each(chosen, lambda carrier: _Checking(carrier, found), jobs=jobs)
    seen = judged([found[name] for name in sorted(found)])
    checked = {each.snippet: each for each in seen.checked}
    for name in done.failed:
        # What did not run, or left something behind, is not as in the book, whatever it printed.
        error = done.errors.get(name, "it was not run, see the messages above")
        before = checked.get(name)
        told = before.differences if before else ()
        checked[name] = Checked(name, MEANING, before.seconds if before else 0.0, told, error)
    return replace(seen, checked=tuple(checked[name] for name in sorted(checked)), seconds=done.seconds)


def judge(snippet: Snippet) -> Verdict:
    """The verdict of `lab check` on one snippet, for whoever breaks the cluster on purpose; tells what it says.

    Raises:
        LabError: No lab is running.
    """
    seen = Witness(carriers.connect()).see(snippet)
    checked = judged([seen]).checked[0]
    if checked.result != MEANING:
        return Verdict(snippet.name, verdicts.UNCHANGED, checked.seconds)
    print(checked.text(), flush=True)
    findings = tuple(each.finding for each in checked.differences)
    return Verdict(
        snippet.name, verdicts.FAILED if checked.error else verdicts.CHANGED, checked.seconds, findings,
        error=checked.error,
    )  # fmt: skip
