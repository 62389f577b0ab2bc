"""The reader's cluster beside the book: each snippet is run, and its answers are compared under one renaming."""

import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lab import carriers, drift, pages, receipt, runner, scenario, verdicts
from lab.attached.fit import BOOK_NAMESPACE, Fit, names_in
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

if TYPE_CHECKING:
    from lab.carriers.attached import AttachedCarrier

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
        words: What a cluster of the reader's own calls the book's words, where its carrier knows; `new` is then
            in the book's words already.
    """

    snippet: Snippet
    old: str
    new: str = ""
    error: str = ""
    cut: bool = False
    seconds: float = 0.0
    book: World = NOBODY
    yours: World = NOBODY
    words: "Words | None" = None

    @cached_property
    def known(self) -> Renaming:
        """What the objects of both clusters tell of their names."""
        return identity.with_endpoints(identity.known(self.book, self.yours), self.old)


@dataclass(frozen=True)
class Words:
    """The book's words and those of a cluster of the reader's own, for one snippet.

    Attributes:
        fit: What its carrier found out when it was attached.
        names: The names of objects that the snippet uses.
        moved: Whether the transcript has words that are not the book's.
    """

    fit: Fit
    names: tuple[str, ...]
    moved: bool = False

    @classmethod
    def of(cls, snippet: Snippet, own: "AttachedCarrier") -> "Words":
        """Those in which a snippet asks that cluster."""
        files = [snippet.path, *([scenario.path_of(snippet.scenario)] if snippet.scenario else [])]
        names = names_in("\n".join(file.read_text(encoding="utf-8") for file in files))
        return cls(own.fit_for(snippet.scenario), tuple(names))

    def yours(self, text: str) -> str:
        """The book's text in the cluster's words."""
        return self.fit.forth(text, self.names)

    def changes(self) -> dict[str, str]:
        """The words that are others."""
        fit = self.fit
        ports = {str(book): str(here) for book, here in fit.ports.items()}
        pairs = {**fit.nodes, **fit.networks, **fit.addresses, **ports, BOOK_NAMESPACE: fit.namespace}
        return {book: here for book, here in pairs.items() if book != here}


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
            seen = replace(seen, book=book, yours=yours, words=self._words(snippet))
            seen = replace(seen, new=_run(snippet, seen.known, workers))
        except SnippetError as failure:
            seen = replace(seen, new=failure.transcript, error=str(failure), cut=True)
        except LabError as failure:
            seen = replace(seen, error=str(failure), cut=True)
        return replace(_in_the_books_words(seen), seconds=time.monotonic() - begun)

    def _words(self, snippet: Snippet) -> "Words | None":
        own = carriers.own_cluster(self._carrier)
        return Words.of(snippet, own) if own else None

    def _both(self, needed: str | None) -> tuple[World, World]:
        """The names of the book and of the cluster while a scenario stands."""
        if self._carrier.name == "here":
            # No cluster: what snippets build there has the same names everywhere.
            return NOBODY, NOBODY
        if carriers.own_cluster(self._carrier):
            # Its carrier has asked already, and translates snippets and scenarios by itself.
            book = identity.of_book([needed])
            return book, book
        with self._turn:
            if needed not in self._worlds:
                self._worlds[needed] = identity.of_book([needed]), identity.of_cluster(self._carrier)
            return self._worlds[needed]


def _in_the_books_words(seen: Seen) -> Seen:
    """What was seen, when the carrier has words of its own, in those of the book."""
    if seen.words is None:
        return seen
    back = seen.words.fit.back(seen.new, seen.words.names)
    return replace(seen, new=back, words=replace(seen.words, moved=back != seen.new))


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
        moved = seen.words is not None and seen.words.moved
        same = not moved and not drift.explain(seen.old, seen.new)
        return Checked(name, SAME if same else EXPECTED, seen.seconds)
    verdict = Verdict(name, verdicts.CHANGED, seen.seconds, tuple(findings), tuple(pages.claims(name)))
    yours = seen.words.yours if seen.words else None
    return Checked(name, MEANING, seen.seconds, report.explain(verdict, renaming, yours), seen.error)


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
        others = {**renaming.changes, **(each.words.changes() if each.words else {})}
        changes |= {name: new for name, new in others.items() if _stands(name, each.old)}
        faults += renaming.clashes()
    owners = {name: what for what, name in {**book.networks, **book.owners}.items()}
    owners[BOOK_NAMESPACE] = "the namespace of the snippets' pods"
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
    return replace(
        seen,
        checked=tuple(checked[name] for name in sorted(checked)),
        skipped=dict(done.skipped),
        seconds=done.seconds,
    )


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
