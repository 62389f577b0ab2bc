"""The tables of fields in docs/lab/outputs.md: the same names as in the files that the lab writes."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lab import freshness, paths, receipt, verdicts
from lab.capture import Answer, Step
from lab.drift import Finding, Kind
from lab.pages import Claim
from lab.verdicts import Verdict

PAGE = paths.ROOT / "docs/lab/outputs.md"


def table(title: str, text: str | None = None) -> dict[str, str]:
    """The rows below a head `| title | what it says |`: each name with what is said of it."""
    told = PAGE.read_text(encoding="utf-8") if text is None else text
    _, found, below = told.partition(f"| {title} | what it says |\n|---|---|\n")
    assert found, f"no table of each {title}"
    rows = re.match(r"(?:\|.*\n)*", below)
    assert rows
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", rows[0], re.MULTILINE))


def test_the_fields_of_a_receipt_are_documented() -> None:
    """All of them; the check of a file knows the same."""
    names = {field.name for field in fields(receipt.Receipt)}
    assert set(table("field of a receipt")) == names == set(receipt.FIELDS)


def test_the_fields_of_a_step_are_documented() -> None:
    """Those that every step has, and those of a step that has everything unusual."""
    words = ("node01", "true", 0, "", "", 0.1)
    plain = Step(*words)
    unusual = Step(*words, shown=False, pod="x", background=True, early="x", namespace="y", tries=2)
    assert set(receipt._entry(plain)) == set(receipt.STEP)
    assert set(receipt._entry(unusual)) == {*receipt.STEP, *receipt.UNUSUAL} == set(table("field of a step"))


def test_the_fields_of_an_answer_are_documented() -> None:
    """All of them."""
    (entry,) = receipt._told([Answer("api", "", "GET /", {})])
    assert set(table("field of an answer")) == set(entry) == set(receipt.ANSWER)


@pytest.fixture
def report(tmp_path: Path) -> dict[str, Any]:
    """A report with one of each in it."""
    finding = Finding(Kind.ROUTE_MISSING, "node01", "ip route", "default", "", "", "gone")
    verdict = Verdict("demo/x", verdicts.CHANGED, 1.0, (finding,), (Claim("docs/x.md", 1, "X"),), "-x\n")
    verdicts.write_json(tmp_path / "report.json", [verdict], seconds=1.0)
    return dict(json.loads((tmp_path / "report.json").read_text()))


def test_the_fields_of_the_report_are_documented(report: dict[str, Any]) -> None:
    """Of the report, and of all in it."""
    assert set(table("field of the report")) == set(report)
    (verdict,) = report["snippets"]
    assert set(table("field of a verdict")) == set(verdict)
    assert set(table("field of a finding")) == set(verdict["findings"][0])
    assert set(table("field of a claim")) == set(verdict["claims"][0])
    assert set(re.findall(r"`(\w+)`", table("field of the report")["counts"])) == set(report["counts"])


def test_a_table_that_is_not_there_is_told() -> None:
    """A check that found nothing to check would pass."""
    with pytest.raises(AssertionError, match="no table of each field of a stone"):
        table("field of a stone", "| field of a step | what it says |\n")


def test_one_number_says_how_old_a_capture_may_be() -> None:
    """The weekly run takes the command's own, and the page that names it names that."""
    workflows = [*(paths.ROOT / ".github/workflows").glob("*.yml")]
    pages = [*(paths.ROOT / "docs").rglob("*.md")]
    said = {path.name: re.findall(r"lab stale --age\b *(\d*)", path.read_text()) for path in [*workflows, *pages]}
    assert {name: found for name, found in said.items() if found} == {"book.yml": [""]}
    assert f"older than {freshness.AGE} days" in (paths.ROOT / "docs/status.md").read_text(encoding="utf-8")
