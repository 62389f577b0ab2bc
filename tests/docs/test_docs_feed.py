"""The feed of changes: what Atom asks for, every output with its date, and always the same bytes."""

import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from bs4 import BeautifulSoup

from lab.site import edition
from lab.site.anchors import anchor
from lab.site.feed import ATOM, FILE, feed
from lab.site.sources import load
from lab.snippets import discover

ROOT = Path(__file__).parents[2]
SPACE = {"a": ATOM}
# RFC 3339 as Atom asks for it, in UTC.
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def _all(root: Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path, SPACE)]


def _faults(root: Element) -> list[str]:
    """What RFC 4287 asks for and a feed lacks."""
    faults = [] if root.tag == f"{{{ATOM}}}feed" else [f"the root is {root.tag}"]
    entries = root.findall("a:entry", SPACE)
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            if len(found := _all(element, f"a:{name}")) != 1 or not found[0]:
                faults.append(f"{element.tag} has {len(found)} {name}")
        for link in element.findall("a:link", SPACE):
            if not link.get("href") or link.get("rel") not in ("alternate", "self"):
                faults.append(f"a link is {link.attrib}")
    if not root.findall("a:author/a:name", SPACE):
        faults.append("nobody is the author")
    dates = _all(root, ".//a:updated")
    faults += [f"{date} is no date" for date in dates if not DATE.fullmatch(date)]
    names = _all(root, ".//a:id")
    faults += [f"the name {name} is no IRI" for name in names if not re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", name)]
    return faults + (["two have one name"] if len(set(names)) < len(names) else [])


@pytest.fixture(scope="module")
def root(built: Path) -> Element:
    """The built site's feed."""
    return ElementTree.fromstring((built / FILE).read_bytes())


def test_it_is_atom(root: Element) -> None:
    """All that a feed must have, and as many entries as chapters with captures."""
    assert _faults(root) == []
    assert len(root.findall("a:entry", SPACE)) == len({snippet.chapter for snippet in discover()})


class _Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == "href"]


def test_every_output_stands_in_it_with_its_date(root: Element) -> None:
    """Once, below its chapter, with the day that its receipt names."""
    said = " ".join(_all(root, ".//a:content"))
    found = edition.captures()
    assert len(found) == len(discover()) > 70
    for snippet, kept in found:
        page = f"{snippet.chapter.replace('_', '-')}.html"
        line = f'<li>{kept.date[:10]}: <a href="{page}#{anchor(snippet.name)}">{snippet.name}</a>'
        assert said.count(line) == 1


def test_what_changed_last_is_on_top(root: Element) -> None:
    """Entries and their outputs, and the feed's own date is that of the newest."""
    dates = _all(root, "a:entry/a:updated")
    assert dates == sorted(dates, reverse=True)
    assert _all(root, "a:updated") == dates[:1]
    newest = max(kept.date for _, kept in edition.captures())
    assert dates[0] == newest and datetime.fromisoformat(newest)


def test_its_links_lead_somewhere(root: Element, built: Path) -> None:
    """Each page is there, and each output has its place on it."""
    links = [link.get("href") or "" for link in root.findall(".//a:link", SPACE)]
    links += [link for content in _all(root, ".//a:content") for link in _Links(content).found]
    assert len(links) > 80
    pages = {name: (built / name).read_text("utf-8") for name in {link.partition("#")[0] for link in links}}
    assert [
        link for link in links if "#" in link and f'id="{link.partition("#")[2]}"' not in pages[link.partition("#")[0]]
    ] == []


def test_it_is_always_the_same(built: Path) -> None:
    """The bytes depend on nothing but receipts and chapters: not on the day, not on the order of files."""
    book, found = load(ROOT / "docs"), edition.captures()
    title = "The living book of Kubernetes networking"
    again = feed(book, found[::-1], title=title, site_url="")
    assert again.count("<entry>") == (built / FILE).read_text("utf-8").count("<entry>")
    assert feed(book, found, title=title, site_url="") == (built / FILE).read_text("utf-8")


def test_a_published_feed_has_whole_addresses(published: Path) -> None:
    """With a public address its links work wherever it is read, and it names itself."""
    root = ElementTree.fromstring((published / FILE).read_bytes())
    assert _faults(root) == []
    links = [(link.get("rel"), link.get("href")) for link in root.findall(".//a:link", SPACE)]
    assert ("self", "https://example.org/book/feed.xml") in links
    assert all((href or "").startswith("https://example.org/book/") for _, href in links)
    assert all(
        link.startswith("https://example.org/book/")
        for text in _all(root, ".//a:content")
        for link in _Links(text).found
    )


def test_a_book_without_outputs_has_an_empty_feed() -> None:
    """It is a feed all the same."""
    assert _faults(ElementTree.fromstring(feed(load(ROOT / "docs"), [], title="x", site_url=""))) == []


@pytest.mark.parametrize("page", ["index.html", "lab/index.html", "404.html"])
def test_pages_name_it(built: Path, page: str) -> None:
    """In the head, where feed readers look for it, and at the foot, where people do."""
    html = BeautifulSoup((built / page).read_text("utf-8"), "html.parser")
    place = "../feed.xml" if "/" in page else "feed.xml"
    assert [link["href"] for link in html.select('link[rel~=alternate][type="application/atom+xml"]')] == [place]
    assert [link.get_text() for link in html.select(f'footer a[href="{place}"]')] == ["feed of changes"]


def test_the_status_page_leads_to_it(built: Path) -> None:
    """Where the dates are, the feed is too."""
    html = BeautifulSoup((built / "status.html").read_text("utf-8"), "html.parser")
    assert html.select_one('article a[href="feed.xml"]')
