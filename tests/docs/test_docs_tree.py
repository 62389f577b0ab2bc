"""Pages, navigation, snippets and captures agree; each check is shown to see the fault that it is for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.site import checks
from lab.site.checks import Tree

SAMPLE = Path(__file__).parents[1] / "site" / "sample"
Check = Callable[[Tree], list[str]]
CHECKS: dict[str, Check] = {
    "nav": checks.nav_faults,
    "includes": checks.include_faults,
    "snippets": checks.snippet_faults,
    "widths": checks.width_faults,
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_the_book_has_no_fault(tree: Tree, check: Check) -> None:
    """The real tree passes each check."""
    assert check(tree) == []


def test_there_are_pages_to_check(tree: Tree) -> None:
    """The checks above look at pages, and at includes on them."""
    assert tree.pages
    assert tree.nav
    assert tree.includes


def test_there_are_snippets_to_check(tree: Tree) -> None:
    """The checks above look at snippets and at captures."""
    assert tree.snippets
    assert tree.captures


@pytest.fixture
def sound(tmp_path: Path) -> Tree:
    """A small tree without a fault."""
    docs, folder = tmp_path / "docs", tmp_path / "snippets" / "sample_page"
    docs.mkdir()
    folder.mkdir(parents=True)
    (tmp_path / "mkdocs.yml").write_text("site_url: !ENV [X, '']\nnav:\n  - Book:\n    - sample-page.md\n")
    shutil.copy(SAMPLE / "sample-page.md", docs)
    shutil.copy(SAMPLE / "look.py", folder)
    shutil.copy(SAMPLE / "look.out", folder)
    (folder / "look.json").write_text("{}")
    return Tree(tmp_path)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_a_sound_tree_has_no_fault(sound: Tree, check: Check) -> None:
    """No check invents a fault."""
    assert check(sound) == []


def _write(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(text, encoding="utf-8")


def _remove(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).unlink()


def _swap(path: str, old: str, new: str) -> Callable[[Path], object]:
    def act(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return act


PAGE, PY, OUT = "docs/sample-page.md", "snippets/sample_page/look.py", "snippets/sample_page/look.out"
FAULTS = {
    "page outside the nav": (
        "nav",
        _write("docs/lost.md", "# Lost\n"),
        "docs/lost.md is in no place of the nav",
    ),
    "page missing": ("nav", _remove(PAGE), f"the nav names {PAGE}, which does not exist"),
    "page twice": (
        "nav",
        _swap("mkdocs.yml", "- sample-page.md", "- sample-page.md\n    - sample-page.md"),
        f"the nav names {PAGE} twice",
    ),
    "file missing": ("includes", _remove(PY), f"{PAGE}:15 includes {PY}, which does not exist"),
    "section missing": (
        "includes",
        _swap(PAGE, "look.py:look", "look.py:other"),
        f"{PAGE}:15: {PY} marks the start of 'other' 0 times",
    ),
    "section without end": (
        "includes",
        _swap(PY, "[end:look]", ""),
        f"{PAGE}:15: {PY} marks the end of 'look' 0 times",
    ),
    "line numbers": (
        "includes",
        _swap(PAGE, "look.py:look", "look.py:2:4"),
        f"{PAGE}:15 includes lines of {PY} by number; name a section instead",
    ),
    "snippet without transcript": (
        "snippets",
        _remove(OUT),
        f"{PY} has no .out; capture it with: lab update sample_page/look",
    ),
    "snippet without receipt": (
        "snippets",
        _remove("snippets/sample_page/look.json"),
        f"{PY} has no .json; capture it with: lab update sample_page/look",
    ),
    "snippet on no page": (
        "snippets",
        _write("snippets/sample_page/more.py", "x = 1\n"),
        f"snippets/sample_page/more.py is not on its page {PAGE}",
    ),
    "transcript on no page": (
        "snippets",
        _swap(PAGE, "look.out", "look.txt"),
        f"{OUT} is not on its page {PAGE}",
    ),
    "transcript of no snippet": (
        "snippets",
        _write("snippets/sample_page/old.out", "node01$ true\n"),
        "snippets/sample_page/old.out belongs to no snippet",
    ),
    "page of another name": (
        "snippets",
        lambda root: (root / PAGE).rename(root / "docs" / "samplepage.md"),
        f"{PY}: no page has the name sample-page.md",
    ),
    "wide line": (
        "widths",
        _write(PY, f"x = '{'y' * 70}'\n"),
        f"{PY}:1 has 76 columns; 72 fit on the page",
    ),
}


@pytest.mark.parametrize(("check", "plant", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_seen(sound: Tree, check: str, plant: Callable[[Path], object], fault: str) -> None:
    """Each check names the fault that was planted."""
    plant(sound.root)
    assert fault in CHECKS[check](Tree(sound.root))


def test_captures_are_fresh() -> None:
    """Every capture was made from this snippet, this scenario, these pins and these provision files."""
    from lab import receipt, snippets

    found = snippets.discover()
    assert found
    assert {snippet.name: receipt.stale(snippet) for snippet in found} == {snippet.name: [] for snippet in found}
