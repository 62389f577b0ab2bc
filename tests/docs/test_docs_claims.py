"""The book's claims: every verdict is carried by a snippet, every claim stands on its source's page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.site import verdicts
from lab.site.checks import Tree
from lab.site.sources import OPEN, Book, Claim, load

ROOT = Path(__file__).parents[2]
BOOK = load(ROOT / "docs")
CLAIMS = [(name, claim) for name, source in BOOK.sources.items() for claim in source.claims]


@pytest.fixture(scope="session")
def book() -> Book:
    """What the files under docs/ say."""
    return BOOK


class _Text(HTMLParser):
    """The text of a page's rows, and the targets of the links in them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.links: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.inside = True
            self.rows.append("")
            self.links.append([])
        elif tag in {"td", "br"} and self.inside:
            self.rows[-1] += " "
        elif tag == "a" and self.inside:
            self.links[-1].append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "tr"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1] += data


def _rows(page: Path) -> list[tuple[str, list[str]]]:
    reader = _Text()
    reader.feed(page.read_text(encoding="utf-8"))
    reader.close()
    return [(" ".join(row.split()), links) for row, links in zip(reader.rows, reader.links, strict=True)]


def _plain(text: str) -> str:
    """A text of the files as a reader sees it: no code marks, no link targets."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text).replace("`", "")


def test_there_are_claims_to_check(book: Book) -> None:
    """The checks below look at judged claims, and at each kind of source."""
    assert len(CLAIMS) > 80
    assert [claim for _, claim in CLAIMS if claim.verdict != OPEN]
    assert {source.kind for source in book.sources.values()} == {"article", "video", "specification", "notes"}


def test_every_verdict_is_carried_by_a_snippet(book: Book) -> None:
    """It exists, asserts, and is captured; and no claim is left open whose snippet is there."""
    assert verdicts.claim_faults(book) == []


def test_the_tables_say_what_the_pages_do(book: Book) -> None:
    """Each source has its page, and each page of the book credits just the sources that it uses."""
    assert verdicts.page_faults(book) == []


@pytest.mark.parametrize(("source", "claim"), CLAIMS, ids=[f"{source}/{claim.id}" for source, claim in CLAIMS])
def test_a_claim_stands_on_its_page(built: Path, source: str, claim: Claim) -> None:
    """In one row: the claim, its verdict in words, the reason, and what decided it or will."""
    rows = [row for row in _rows(built / "sources" / f"{source}.html") if row[0].startswith(f"{_plain(claim.text)} ")]
    assert len(rows) == 1
    text, links = rows[0]
    if claim.verdict == OPEN:
        assert f"not judged yet planned: {claim.snippet_planned}" in text
    else:
        assert f"{claim.verdict} {_plain(claim.because)}" in text
        ends = [link.split("#")[1] for link in links if "#" in link]
        assert ends == [name.replace("/", "-") for name in claim.snippets]


@pytest.mark.parametrize("name", BOOK.sources)
def test_a_source_says_who_and_how_much_was_seen(built: Path, book: Book, name: str) -> None:
    """Its page credits it with author and link, and is honest about what was read."""
    source, rows = book.source(name), _rows(built / "sources" / f"{name}.html")
    texts = [text for text, _ in rows]
    assert any(text.startswith(f"what we saw {source.visibility}: {_plain(source.seen)}") for text in texts)
    assert f"by {source.author or 'not known'}" in texts
    assert source.link is None or [source.link] in [links for _, links in rows]


@pytest.mark.parametrize("name", BOOK.sources)
def test_the_overview_names_every_source(built: Path, book: Book, name: str) -> None:
    """It has a row among those of its kind, and is in the row of each page that uses it."""
    rows = _rows(built / "sources" / "index.html")
    assert sum(f"{name}.html" in links for _, links in rows) == 1 + len(book.source(name).used_in)


def test_the_first_page_lists_every_chapter_in_order(built: Path, book: Book) -> None:
    """With a link to each that is written, and in the order of the nav."""
    rows = {text.split()[0]: (text, links) for text, links in _rows(built / "index.html")}
    shown = [rows[str(number)] for number in range(1, len(book.chapters) + 1)]
    for (text, links), chapter in zip(shown, book.chapters, strict=True):
        assert chapter.title in text and chapter.question in text
        assert links == ([f"{chapter.name}.html"] if book.written(chapter) else [])
    written = [f"docs/{chapter.name}.md" for chapter in book.chapters if book.written(chapter)]
    assert [page for page in Tree(ROOT).nav if page in written] == written
