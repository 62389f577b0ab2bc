"""Verdicts on snippets: what each comparison found, which sentences rest on it, as text, JSON and JUnit XML."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from lab import pages
from lab.drift import Finding
from lab.errors import LabError
from lab.pages import Claim

SCHEMA = 1
UNCHANGED, CHANGED, FAILED, SKIPPED = "unchanged", "changed", "failed", "skipped"

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one snippet came to.

    Attributes:
        snippet: Its name.
        result: `unchanged`, `changed`, `failed` for a snippet that did not run to its end, or `skipped`.
        seconds: How long it took.
        findings: The differences as meaning.
        claims: The places of the book that rest on it; empty when nothing changed.
        difference: The differences line by line.
        error: Why it failed, or was skipped.
        again: What it said at first, beside other snippets, so that it ran again by itself; empty for one run.
    """

    snippet: str
    result: str
    seconds: float
    findings: tuple[Finding, ...] = ()
    claims: tuple[Claim, ...] = ()
    difference: str = ""
    error: str = ""
    again: str = ""

    def text(self) -> str:
        """Findings and what rests on them, a line each, for a reader at a terminal."""
        return "".join(f"{line}\n" for line in [*(finding.sentence for finding in self.findings), *self.resting()])

    def said(self) -> str:
        """All of it: what `text` has, the error and the differences."""
        return "\n".join(filter(None, [self.text(), self.error, self.difference]))

    def resting(self) -> list[str]:
        """The sentences of the book that rest on what changed."""
        words = list(dict.fromkeys(word for finding in self.findings for word in _mentions(finding)))
        return [f"rests on it: {pages.wording(claim, words)}" for claim in self.claims]


def _mentions(finding: Finding) -> list[str]:
    """How a page would name what a finding is about, the surest first."""
    plain = finding.subject.removesuffix("/32")
    lost = [word for word in finding.old.split() if len(word) > 3 and word not in finding.new.split()]
    return [word for word in (finding.subject, plain, *lost) if word]


def check_place(*files: Path | None) -> None:
    """Refuse a report's file that cannot be written, before minutes are spent.

    Raises:
        LabError: Its folder does not exist.
    """
    for file in files:
        if file and not file.absolute().parent.is_dir():
            raise LabError(f"there is no folder for the report {file}", hint=f"mkdir -p {file.parent}")


def write_json(file: Path, verdicts: Sequence[Verdict], *, seconds: float, now: datetime | None = None) -> None:
    """Write all verdicts for programs.

    Args:
        file: Where to.
        verdicts: In the order in which they are to stand.
        seconds: How long all took together.
        now: The date of the report; for tests.
    """
    counts = {
        word: sum(verdict.result == word for verdict in verdicts) for word in (UNCHANGED, CHANGED, FAILED, SKIPPED)
    }
    report = {
        "schema": SCHEMA,
        "date": _date(now),
        "seconds": round(seconds, 3),
        "counts": {"all": len(verdicts), **counts},
        "snippets": [{**asdict(verdict), "seconds": round(verdict.seconds, 3)} for verdict in verdicts],
    }
    file.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_junit(file: Path, verdicts: Sequence[Verdict], *, seconds: float, now: datetime | None = None) -> None:
    """Write all verdicts as JUnit XML: a chapter is a class, a snippet a test case.

    Args:
        file: Where to.
        verdicts: In the order in which they are to stand.
        seconds: How long all took together.
        now: The date of the report; for tests.
    """
    totals = {
        "name": "lab verify",
        "tests": str(len(verdicts)),
        "failures": str(sum(verdict.result == CHANGED for verdict in verdicts)),
        "errors": str(sum(verdict.result == FAILED for verdict in verdicts)),
        "skipped": str(sum(verdict.result == SKIPPED for verdict in verdicts)),
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {key: totals[key] for key in totals if key != "skipped"})
    suite = ElementTree.SubElement(root, "testsuite", {**totals, "timestamp": _date(now).removesuffix("Z")})
    for verdict in verdicts:
        _case(suite, verdict)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _case(suite: ElementTree.Element, verdict: Verdict) -> None:
    chapter, _, name = verdict.snippet.rpartition("/")
    case = ElementTree.SubElement(
        suite, "testcase", {"classname": chapter, "name": name, "time": f"{verdict.seconds:.3f}"}
    )
    if verdict.result == SKIPPED:
        ElementTree.SubElement(case, "skipped", {"message": _xml(verdict.error)})
    elif verdict.result != UNCHANGED:
        _fault(case, verdict)
    if verdict.again:
        told = ElementTree.SubElement(case, "system-out")
        told.text = _xml(f"it ran again by itself, because beside others it said:\n{verdict.again}")


def _fault(case: ElementTree.Element, verdict: Verdict) -> None:
    first = verdict.findings[0] if verdict.findings else None
    message = first.sentence if first else (verdict.error.splitlines() or [verdict.result])[0]
    kind = "failure" if verdict.result == CHANGED else "error"
    attributes = {"message": _xml(message), "type": first.kind.value if first else verdict.result}
    body = ElementTree.SubElement(case, kind, attributes)
    body.text = _xml(verdict.said())


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _date(now: datetime | None) -> str:
    return (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
