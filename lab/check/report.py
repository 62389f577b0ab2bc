"""What `lab check` says: one verdict for each snippet, the renaming as a table, and an exit status."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from lab.check.causes import explained
from lab.check.renaming import Renaming
from lab.drift import Finding
from lab.verdicts import Verdict

SCHEMA = 1
SAME, EXPECTED, MEANING = "same", "differs as expected", "differs in meaning"


@dataclass(frozen=True)
class Explained:
    """One difference with all that helps to understand it.

    Attributes:
        finding: What differs, in your names.
        book: The sentences of the book that rest on it, each with its page.
        why: What usually causes it.
        look: The next command.
    """

    finding: Finding
    book: tuple[str, ...]
    why: str
    look: str

    def text(self) -> str:
        """Its lines for a terminal."""
        lines = [self.finding.sentence, *(f"  the book: {place}" for place in self.book)]
        return "\n".join([*lines, f"  usual cause: {self.why}", f"  look: {self.look}"])


@dataclass(frozen=True)
class Checked:
    """What the comparison of one snippet came to.

    Attributes:
        snippet: Its name.
        result: `same`, `differs as expected` or `differs in meaning`.
        seconds: How long it took.
        differences: Why it differs in meaning.
        error: The assertion that failed, or why it did not run to its end.
    """

    snippet: str
    result: str
    seconds: float
    differences: tuple[Explained, ...] = ()
    error: str = ""

    def text(self) -> str:
        """Its lines for a terminal."""
        told = [each.text() for each in self.differences] + ([self.error] if self.error else [])
        return "\n".join([f"{self.snippet}: {self.result}", *(_indented(each) for each in told)])


@dataclass(frozen=True)
class Named:
    """One row of the table of names: what it is, and how the book and you call it."""

    what: str
    book: str
    yours: str


@dataclass(frozen=True)
class Report:
    """What `lab check` found.

    Attributes:
        checked: A verdict for each snippet, in the order of their names.
        names: What has another name than in the book.
        faults: Why the names are no consistent renaming, in words.
        skipped: What a cluster of the reader's own cannot run, each with why; nothing is said of it.
        seconds: How long all took.
    """

    checked: tuple[Checked, ...]
    names: tuple[Named, ...] = ()
    faults: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The exit status: 0 when nothing differs in meaning, 1 when something does, 2 when nothing was compared."""
        if not self.checked:
            return 2
        return int(bool(self.faults) or any(each.result == MEANING for each in self.checked))

    def counts(self) -> dict[str, int]:
        """How many snippets have each verdict."""
        return {word: sum(each.result == word for each in self.checked) for word in (SAME, EXPECTED, MEANING)}

    def text(self) -> str:
        """All of it for a terminal: what differs in meaning last, as it is what to read."""
        parts = []
        if self.names:
            parts.append("\n".join(_table([("", "the book", "yours"), *map(_row, self.names)])))
        expected = [each.snippet for each in self.checked if each.result == EXPECTED]
        if expected:
            parts.append("\n".join([f"{EXPECTED}:", *map(_indented, expected)]))
        if self.faults:
            parts.append("\n".join(["these names are not one consistent renaming:", *map(_indented, self.faults)]))
        parts += [each.text() for each in self.checked if each.result == MEANING]
        counts = ", ".join(f"{count} {_plural(count, word)}" for word, count in self.counts().items())
        total = len(self.checked)
        counts += f", {len(self.skipped)} skipped" if self.skipped else ""
        parts.append(f"{total} snippet{'s' if total != 1 else ''}: {counts}; {self.seconds:.1f} s")
        return "\n\n".join(parts)

    def write_json(self, file: Path, *, now: datetime | None = None) -> None:
        """Write all of it for programs.

        Args:
            file: Where to.
            now: The date of the report; for tests.
        """
        report = {
            "schema": SCHEMA,
            "date": (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seconds": round(self.seconds, 3),
            "status": self.status,
            "counts": self.counts(),
            "names": [asdict(each) for each in self.names],
            "faults": list(self.faults),
            "skipped": dict(self.skipped),
            "snippets": [{**asdict(each), "seconds": round(each.seconds, 3)} for each in self.checked],
        }
        file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def explain(verdict: Verdict, renaming: Renaming, yours: Callable[[str], str] | None = None) -> tuple[Explained, ...]:
    """Every finding of a verdict with the book's sentences about it, in the book's names, and its usual cause.

    Args:
        verdict: With its findings.
        renaming: Whose names they have; the book's are looked for on its pages.
        yours: Says a text of the book in the words of the reader's own cluster, where that is not the renaming.
    """
    back = renaming.inverse
    found = []
    for finding in verdict.findings:
        subject, old, new = map(back.apply, (finding.subject, finding.old, finding.new))
        named = replace(finding, subject=subject, old=old, new=new)
        resting = replace(verdict, findings=(named,)).resting()
        places = tuple(dict.fromkeys(place.removeprefix("rests on it: ") for place in resting))
        if yours is not None:
            finding = _said(finding, yours)
        found.append(Explained(finding, places, *explained(finding)))
    return tuple(found)


def _said(finding: Finding, yours: Callable[[str], str]) -> Finding:
    node, command, subject, old, new, sentence = map(
        yours, (finding.node, finding.command, finding.subject, finding.old, finding.new, finding.sentence)
    )
    return Finding(finding.kind, node, command, subject, old, new, sentence)


def table(owners: Mapping[str, str], changes: Mapping[str, str]) -> tuple[Named, ...]:
    """The names that differ, each with what it is.

    Args:
        owners: What each name of the book is the name of.
        changes: The book's names with yours.
    """
    rows = (Named(owners.get(book, "found in the outputs"), book, yours) for book, yours in changes.items())
    return tuple(sorted(rows, key=lambda row: (row.what, row.book)))


def _plural(count: int, word: str) -> str:
    return word if count == 1 else word.replace("differs", "differ")


def _row(named: Named) -> tuple[str, str, str]:
    return named.what, named.book, named.yours


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())
