"""What `lab verify` says of each snippet: on the terminal, as JSON and as JUnit XML."""

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab import drift, verdicts
from lab.errors import LabError
from lab.pages import Claim
from lab.verdicts import Verdict

OLD = "node01$ ip route\n172.16.49.64/26 via 192.168.56.10 dev tunl0\n"
CLAIM = Claim("docs/page.md", 7, "Routes", after=("First.", "`172.16.49.64/26` is the way out.", "Last."))
WHEN = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def found() -> list[Verdict]:
    """One of each result."""
    findings = tuple(drift.explain(OLD, OLD.replace("56.10", "56.12")))
    return [
        Verdict("demo/changed", verdicts.CHANGED, 1.25, findings, (CLAIM,), "  -old\n  +new\n"),
        Verdict(
            "demo/failed", verdicts.FAILED, 0.5, (), (CLAIM,), error="demo/failed failed\n  because\x1b[0m of <x> & y"
        ),
        Verdict("demo/same", verdicts.UNCHANGED, 0.25, again="  -old\n  +beside\x1b others\n"),
    ]


def test_the_text_names_what_changed_and_what_rests_on_it(found: list[Verdict]) -> None:
    """The sentence that is quoted is the one about the subject."""
    said = found[0].text().splitlines()
    assert said[0] == "node01: the route to 172.16.49.64/26 goes by 192.168.56.12, not by 192.168.56.10"
    assert said[1] == 'rests on it: docs/page.md, "Routes": "`172.16.49.64/26` is the way out."'
    assert len(said) == 2
    assert found[2].text() == ""


def test_json_holds_all(found: list[Verdict], tmp_path: Path) -> None:
    """Counts, findings with every field, claims and differences."""
    file = tmp_path / "report.json"
    verdicts.write_json(file, found, seconds=2.0, now=WHEN)
    report = json.loads(file.read_text())
    assert report["counts"] == {"all": 3, "unchanged": 1, "changed": 1, "failed": 1, "skipped": 0}
    assert (report["schema"], report["date"], report["seconds"]) == (1, "2026-11-24T12:00:00Z", 2.0)
    changed, failed, same = report["snippets"]
    assert changed["findings"] == [
        {
            "kind": "next hop changed",
            "node": "node01",
            "command": "ip route",
            "subject": "172.16.49.64/26",
            "old": "192.168.56.10",
            "new": "192.168.56.12",
            "sentence": "node01: the route to 172.16.49.64/26 goes by 192.168.56.12, not by 192.168.56.10",
        }
    ]
    assert changed["claims"][0]["page"] == "docs/page.md" and changed["difference"]
    assert failed["error"].startswith("demo/failed failed")
    assert (same["snippet"], same["result"], same["findings"]) == ("demo/same", "unchanged", [])
    assert [entry["again"] for entry in report["snippets"]] == ["", "", "  -old\n  +beside\x1b others\n"]


# The structure that test tools agree on: allowed attributes, those that must be there, and children.
SHAPE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"tests"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"name", "tests", "failures", "errors"},
        {"testcase"},
    ),
    "testcase": ({"classname", "name", "time"}, {"classname", "name"}, {"failure", "error", "system-out"}),
    "failure": ({"message", "type"}, {"message", "type"}, set()),
    "error": ({"message", "type"}, {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}


def check_shape(element: ElementTree.Element) -> int:
    """Check an element and all below it; tells how many there are."""
    allowed, needed, children = SHAPE[element.tag]
    assert needed <= set(element.attrib) <= allowed, element.tag
    for name in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
        assert element.attrib[name].isdigit()
    if "time" in element.attrib:
        assert float(element.attrib["time"]) >= 0
    assert {child.tag for child in element} <= children
    return 1 + sum(check_shape(child) for child in element)


def test_junit_has_the_usual_structure(found: list[Verdict], tmp_path: Path) -> None:
    """Counts agree with the cases, and what XML cannot hold is replaced."""
    file = tmp_path / "report.xml"
    verdicts.write_junit(file, found, seconds=2.0, now=WHEN)
    root = ElementTree.parse(file).getroot()
    assert root.tag == "testsuites" and check_shape(root) == 8
    suite = root[0]
    cases = suite.findall("testcase")
    assert datetime.fromisoformat(suite.attrib["timestamp"]) == WHEN.replace(tzinfo=None)
    for tag, name in (("failure", "failures"), ("error", "errors")):
        assert len(suite.findall(f"testcase/{tag}")) == int(suite.attrib[name]) == 1
    assert len(cases) == int(suite.attrib["tests"]) == 3
    assert [(case.attrib["classname"], case.attrib["name"]) for case in cases] == [
        ("demo", "changed"), ("demo", "failed"), ("demo", "same")
    ]  # fmt: skip
    failure, error = suite.find("testcase/failure"), suite.find("testcase/error")
    assert failure is not None and failure.attrib["type"] == "next hop changed" and "docs/page.md" in str(failure.text)
    again = suite.find("testcase/system-out")
    assert again is not None and again.text == (
        "it ran again by itself, because beside others it said:\n  -old\n  +beside\ufffd others\n"
    )
    assert error is not None and "\ufffd[0m of <x> & y" in str(error.text)


def test_a_report_without_a_folder_is_refused(tmp_path: Path) -> None:
    """Before anything runs."""
    verdicts.check_place(tmp_path / "here.json", None)
    with pytest.raises(LabError, match="there is no folder for the report") as caught:
        verdicts.check_place(None, tmp_path / "no/such.xml")
    assert "mkdir -p" in caught.value.hint
