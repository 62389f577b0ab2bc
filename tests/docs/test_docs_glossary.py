"""The glossary: every term is used, explained once, and shown at work."""

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from markdown import Markdown

from lab.errors import LabError
from lab.site import glossary
from lab.site.sources import load as load_book

ROOT = Path(__file__).parents[2]
TERMS = glossary.load(ROOT / "docs")
CHAPTERS = [chapter.name for chapter in load_book(ROOT / "docs").chapters]


@pytest.fixture(scope="module")
def used(built: Path) -> dict[str, list[str]]:
    """For each chapter the terms that are linked on its page, in their order."""
    return {name: re.findall(r'class="?term"? href="?glossary\.html#([\w-]+)', _text(built, name)) for name in CHAPTERS}


def _text(built: Path, name: str) -> str:
    return (built / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.id)
def test_every_term_is_used(used: dict[str, list[str]], term: glossary.Term) -> None:
    """A chapter links it; a term that nobody needs is none."""
    assert [name for name, terms in used.items() if term.id in terms] != []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_links_each_term_once(used: dict[str, list[str]], name: str) -> None:
    """Every chapter has terms, each at its first use only."""
    assert used[name]
    assert len(set(used[name])) == len(used[name])


@pytest.fixture(scope="module")
def listed(built: Path) -> BeautifulSoup:
    """The glossary's page."""
    return BeautifulSoup(_text(built, "glossary"), "html.parser")


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.id)
def test_the_list_explains_every_term(built: Path, listed: BeautifulSoup, term: glossary.Term) -> None:
    """Name, text, and a link to a place of the book that uses the term."""
    anchor = listed.find(id=term.id)
    assert anchor is not None and anchor.parent is not None and anchor.parent.name == "dt"
    assert anchor.parent.get_text() == term.name
    meaning = anchor.parent.find_next_sibling("dd")
    assert meaning is not None and meaning.get_text(" ", strip=True).startswith(term.text)
    link = meaning.find("a")
    assert link is not None
    name, _, place = str(link["href"]).partition("#")
    text = (built / name).read_text(encoding="utf-8")
    assert not place or re.search(rf'id="?{place}"?[ >]', text)
    words = re.sub(r"<[^>]+>", " ", text)
    assert any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", words) for form in term.forms)


def test_a_text_is_short_and_plain() -> None:
    """One or two sentences that fit into a tooltip, without marks that only a page would render."""
    odd = [
        term.name
        for term in TERMS
        if len(term.text) > 160 or not term.text.endswith(".") or re.search(r"[`*\[<]", term.text)
    ]
    assert odd == []


def test_every_text_stands_once(built: Path) -> None:
    """The chapters have none of them: their script has them all, as the list has."""
    script = (built / glossary.SCRIPT).read_text(encoding="utf-8")
    texts = json.loads(script[script.index("{") : script.rindex("}") + 1])
    assert texts == {term.id: term.text for term in TERMS}
    pages = {name: _text(built, name) for name in CHAPTERS}
    assert [(name, term.id) for name, text in pages.items() for term in TERMS if term.text in text] == []
    assert all(f'src="{glossary.SCRIPT}"' in text for text in pages.values())


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with three terms."""
    (tmp_path / glossary.FILE).write_text(
        "- {term: pod, forms: [pod, pods], text: A., live: x.md}\n"
        "- {term: CNI, text: B., live: x.md}\n"
        "- {term: CNI plugin, text: C., live: x.md}\n"
    )
    return tmp_path


def _made(docs: Path, text: str, mark: str = glossary.MARK) -> str:
    markdown = Markdown(extensions=["lab.site.glossary"], extension_configs={"lab.site.glossary": {"docs": str(docs)}})
    return markdown.convert(f"{mark}\n\n{text}")


LINKS = {
    "the first use": (
        "Two pods, one pod.",
        '<p>Two <a class="term" href="glossary.md#pod">pods</a>, one pod.</p>',
    ),
    "two terms in one text": (
        "A pod and CNI.",
        '<p>A <a class="term" href="glossary.md#pod">pod</a> and <a class="term" href="glossary.md#cni">CNI</a>.</p>',
    ),
    "the longest term": (
        "A CNI plugin.",
        '<p>A <a class="term" href="glossary.md#cni-plugin">CNI plugin</a>.</p>',
    ),
    "code": (
        "It is `CNI`.",
        '<p>It is <a class="term" href="glossary.md#cni"><code>CNI</code></a>.</p>',
    ),
    "after an element": (
        "*So* a pod.",
        '<p><em>So</em> a <a class="term" href="glossary.md#pod">pod</a>.</p>',
    ),
    "no part of a word": ("A podcast, an x-pod, `a pod`.", "<p>A podcast, an x-pod, <code>a pod</code>.</p>"),
    "no link in a link": ("[the pod](x.md)", '<p><a href="x.md">the pod</a></p>'),
    "no heading": ("# A pod", "<h1>A pod</h1>"),
}


@pytest.mark.parametrize(("text", "html"), LINKS.values(), ids=LINKS.keys())
def test_what_becomes_a_link(docs: Path, text: str, html: str) -> None:
    """The first use in the running text, whole words only."""
    assert _made(docs, text).strip() == html


def test_a_page_without_the_mark_has_no_links(docs: Path) -> None:
    """Only the chapters ask for them."""
    assert _made(docs, "A pod.", mark="") == "<p>A pod.</p>"


FAULTS = {
    "no list": ("pod: x", "it must be a list of terms"),
    "a field is missing": ("- {term: pod, text: A.}", "term 1: the fields are term, text, live"),
    "one spelling for two": (
        "- {term: a, text: A., live: x}\n- {term: b, forms: [a], text: B., live: x}",
        "'a' belongs to a and to b",
    ),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_seen(tmp_path: Path, text: str, fault: str) -> None:
    """Each fault of the file is named."""
    (tmp_path / glossary.FILE).write_text(text)
    with pytest.raises(LabError) as caught:
        glossary.load(tmp_path)
    assert fault in str(caught.value)
