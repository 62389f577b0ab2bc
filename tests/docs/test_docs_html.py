"""The built site: every link leads somewhere, nothing is fetched from elsewhere, no page is too big."""

from pathlib import Path

import pytest

from lab.site.checks import Tree
from lab.site.links import Site

LIMIT = 150_000  # bytes of a page's own HTML


def test_every_link_leads_somewhere(built: Path) -> None:
    """No dead link, no dead anchor, no request to another host, on any page."""
    report = Site(built).check()
    assert report.faults == []
    assert report.followed > 50


def test_every_page_is_built(tree: Tree, built: Path) -> None:
    """Each page of docs/ is a page of the site."""
    names = [page.removeprefix("docs/").removesuffix(".md") + ".html" for page in tree.pages]
    assert names
    assert [name for name in names if not (built / name).is_file()] == []


def test_no_page_is_too_big(built: Path) -> None:
    """A page's own HTML stays below the limit."""
    sizes = {str(path.relative_to(built)): path.stat().st_size for path in built.rglob("*.html")}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > LIMIT} == {}


def test_every_page_says_what_it_is(tree: Tree) -> None:
    """Each page has a description of its own for search engines."""
    texts = {page: (tree.root / page).read_text(encoding="utf-8") for page in tree.pages}
    found = [line for text in texts.values() for line in text.splitlines() if line.startswith("description: ")]
    assert len(found) == len(texts)
    assert len(set(found)) == len(found)


FAULTS = {
    "dead link": ('<a href="nowhere.html">x</a>', "index.html: nowhere.html leads nowhere"),
    "dead anchor": ('<a href="#none">x</a>', "index.html: #none: the page has no such anchor"),
    "dead anchor elsewhere": (
        '<a href="b.html#none">x</a>',
        "index.html: b.html#none: the page has no such anchor",
    ),
    "missing picture": ('<img src="x.png">', "index.html: x.png leads nowhere"),
    "folder": ('<a href=".">x</a>', "index.html: . is a folder, which no browser opens from a disk"),
    "absolute link": (
        '<a href="/b.html">x</a>',
        "index.html: the absolute link /b.html works on no other place than the root of a server",
    ),
    "script of another host": (
        '<script src="https://example.org/x.js"></script>',
        "index.html: <script> fetches https://example.org/x.js",
    ),
    "picture without scheme": (
        '<img src="//example.org/x.png">',
        "index.html: <img> fetches //example.org/x.png",
    ),
    "style sheet of another host": (
        '<link rel="stylesheet" href="https://example.org/x.css">',
        "index.html: <link> fetches https://example.org/x.css",
    ),
}


@pytest.mark.parametrize(("html", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_seen(tmp_path: Path, html: str, fault: str) -> None:
    """Each kind of fault is named, with its page."""
    (tmp_path / "index.html").write_text(f'<a href="b.html#here">x</a>{html}', encoding="utf-8")
    (tmp_path / "b.html").write_text('<p id="here">x</p><a href="https://example.org">x</a>', encoding="utf-8")
    assert Site(tmp_path).check().faults == [fault]


def test_a_fetching_style_sheet_is_seen(tmp_path: Path) -> None:
    """A style sheet that loads something from another host is a fault."""
    (tmp_path / "a.css").write_text("a{background:url('https://example.org/x.png')}", encoding="utf-8")
    assert Site(tmp_path).check().faults == ["a.css: fetches https://example.org/x.png"]
