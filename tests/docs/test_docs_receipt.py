"""The receipt below a transcript: what it shows, where it stands, and what it refuses."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown import Markdown
from markdown.extensions import Extension
from mkdocs.exceptions import BuildError

from lab.errors import LabError
from lab.receipt import Receipt
from lab.site.receipt import ReceiptExtension, load, summary

# Stands for what only replay needs.
RAW = "raw, and not for the page"
OUT = "node01$ ip route\ndefault via 192.168.56.1\nnode01/pod2$ ip link\n1: lo\n"
FENCE = '```` { .node-console }\n--8<-- "snippets/pods/route.out"\n````\n'


def _receipt() -> dict[str, Any]:
    """A receipt as the lab itself writes it."""
    step = {"node": "node01", "seconds": 1, "raw": "ab" * 32, "stdout": RAW, "stderr": RAW}
    receipt = Receipt(
        snippet="pods/route",
        date="2026-11-23T12:34:56Z",
        carrier="uml",
        commit="c0ffee",
        scenario=None,
        versions={"kubernetes": "v1.37.2", "calico": "v3.28.5", "bird": "2.17", "linux": "7.2.0"},
        key="cd" * 32,
        parts={"snippet": "ef" * 32, "noise": "01" * 32, "scenario": None},
        out=hashlib.sha256(OUT.encode()).hexdigest(),
        steps=[
            {**step, "command": "ip route", "status": 0},
            {**step, "command": "ip link | grep '<UP>'", "status": 1, "pod": "pod2"},
        ],
        answers=[{"source": "netlink", "where": "node01", "question": RAW, "reply": [{"dst": RAW}]}],
    )
    return dict(json.loads(receipt.text()))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with one transcript and its receipt."""
    folder = tmp_path / "snippets" / "pods"
    folder.mkdir(parents=True)
    (folder / "route.out").write_text(OUT, encoding="utf-8")
    (folder / "route.json").write_text(json.dumps(_receipt()), encoding="utf-8")
    return tmp_path


def _html(base: Path, page: str) -> str:
    settings = {"pymdownx.snippets": {"base_path": [str(base)], "check_paths": True}}
    extensions: list[str | Extension] = ["pymdownx.snippets", "pymdownx.superfences"]
    extensions.append(ReceiptExtension(base_path=str(base)))
    return Markdown(extensions=extensions, extension_configs=settings).convert(page)


def test_the_summary_says_who_when_and_what(base: Path) -> None:
    """One line: the prompts of the transcript, the day, the versions."""
    assert summary(load(base / "snippets/pods/route.out"), OUT) == (
        "Printed by <b>node01 and node01/pod2</b> "
        'on <time datetime="2026-11-23T12:34:56Z">2026-11-23</time>, '
        "Kubernetes v1.37.2, Calico v3.28.5, Linux 7.2.0"
    )


def test_a_transcript_without_prompt_is_the_steps_nodes(base: Path) -> None:
    """Without a prompt to read, the steps say which node it was."""
    assert summary(load(base / "snippets/pods/route.out"), "text\n").startswith("Printed by <b>node01</b> on ")


def _scalars(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in _scalars(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in _scalars(inner)]
    return [str(value)] if isinstance(value, str) and "<" not in value else []


def test_the_opened_receipt_shows_all_but_what_replay_needs(base: Path) -> None:
    """Each value of the file stands in the page, commands made safe; raw output, recorded answers and parts do not."""
    html = _html(base, FENCE)
    receipt = _receipt()
    parts = receipt.pop("parts")
    assert f"<dt>parts</dt><dd><code>{len(parts)}, each with its digest in the receipt's file</code></dd>" in html
    for step in receipt["steps"]:
        step["raw"] = step["raw"][:12]
    assert RAW in json.dumps(receipt.pop("answers")) and RAW in json.dumps(receipt["steps"])
    assert RAW not in html
    values = [value for value in _scalars(receipt) if value != RAW]
    assert len(values) > 12
    assert [value for value in values if value not in html] == []
    assert "node01/pod2$ ip link | grep '&lt;UP&gt;'" in html
    assert "</code>: status 1, 1.00 s, digest " in html
    assert "<dt>scenario</dt><dd><code>none</code></dd>" in html


def test_a_step_that_took_several_tries_says_so(base: Path) -> None:
    """Nothing is tried again in silence."""
    receipt = _receipt()
    receipt["steps"][0]["tries"] = 3
    (base / "snippets/pods/route.json").write_text(json.dumps(receipt), encoding="utf-8")
    html = _html(base, FENCE)
    assert "ip route</code>: status 0 after 3 tries, 1.00 s, digest" in html
    assert html.count(" tries") == 1


def test_it_is_a_native_fold_out_that_the_search_skips(base: Path) -> None:
    """The element works without a script, starts closed, and its digests are not searched."""
    assert '<details class="receipt" data-search-exclude><summary>' in _html(base, FENCE)


def test_it_stands_below_the_transcript(base: Path) -> None:
    """First the transcript, then its receipt, then the rest of the page."""
    html = _html(base, f"before\n\n{FENCE}\nafter\n")
    places = [html.index(part) for part in ("before", "default via", "<details", "after")]
    assert places == sorted(places)
    assert html.count("<details") == 1


def test_it_keeps_its_place_in_a_list(base: Path) -> None:
    """A transcript in a list item has its receipt in the same item."""
    indented = "".join(f"    {line}\n" for line in FENCE.splitlines())
    html = _html(base, f"1. one\n\n{indented}\n2. two\n")
    assert html.count("<ol>") == 2, "one of the page, one of the receipt's steps"
    assert html.index("<li>") < html.index("<details") < html.index("two")
    assert "<p><details" not in html


OTHER = {
    "a snippet": '```python\n--8<-- "snippets/pods/route.out.py"\n```\n',
    "an example of how to include": '````` { .text }\n````\n;--8<-- "snippets/pods/route.out"\n````\n`````\n',
    "plain text": "receipt of route.out\n",
}


@pytest.mark.parametrize("page", OTHER.values(), ids=OTHER.keys())
def test_nothing_else_has_a_receipt(base: Path, page: str) -> None:
    """Only an included transcript has a receipt."""
    (base / "snippets/pods/route.out.py").write_text("x = 1\n", encoding="utf-8")
    assert "<details" not in _html(base, page)


def _edit(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def _without(key: str) -> Callable[[Path], object]:
    return _edit("route.json", json.dumps({name: value for name, value in _receipt().items() if name != key}))


BAD = {
    "no receipt": (
        lambda folder: (folder / "route.json").unlink(),
        "route.json is missing",
        "lab update pods/route",
    ),
    "no JSON": (_edit("route.json", "{"), "route.json is no JSON", "lab update pods/route"),
    "part missing": (_without("steps"), "route.json lacks steps", "lab update pods/route"),
    "other schema": (
        _edit("route.json", json.dumps({**_receipt(), "schema": 1})),
        "has schema 1",
        "lab update pods/route",
    ),
    "edited transcript": (
        _edit("route.out", OUT + "more\n"),
        "is not what its receipt is for",
        "changed by hand",
    ),
    "wrong step": (
        _edit("route.json", json.dumps({**_receipt(), "steps": [{}]})),
        "not what a receipt",
        "route.json",
    ),
}


@pytest.mark.parametrize(("spoil", "what", "also"), BAD.values(), ids=BAD.keys())
def test_a_bad_receipt_stops_the_build(base: Path, spoil: Callable[[Path], object], what: str, also: str) -> None:
    """The build ends with a message that names the file and the way out, not with a page that lies."""
    spoil(base / "snippets" / "pods")
    with pytest.raises(BuildError) as caught:
        _html(base, FENCE)
    assert what in str(caught.value)
    assert also in str(caught.value)


def test_load_raises_the_projects_own_error(tmp_path: Path) -> None:
    """Whoever reads a receipt without a site gets the project's own error."""
    with pytest.raises(LabError, match=r"route\.out is missing"):
        load(tmp_path / "pods" / "route.out")
