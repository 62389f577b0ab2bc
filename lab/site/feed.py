"""The feed of changes: an entry for each chapter, which is news whenever one of its outputs was printed anew.

It is made from the receipts alone, so the same receipts give the same bytes, whoever builds the site and when.
"""

from collections.abc import Sequence
from html import escape
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from lab.receipt import Receipt
from lab.site.anchors import anchor
from lab.site.sources import Book, Chapter
from lab.snippets import Snippet

FILE = "feed.xml"
ATOM = "http://www.w3.org/2005/Atom"
_HTML = "text/html"

Capture = tuple[Snippet, Receipt]


def feed(book: Book, captures: Sequence[Capture], *, title: str, site_url: str) -> str:
    """The feed as Atom (RFC 4287).

    Args:
        book: The chapters.
        captures: Every snippet with its receipt, which knows when its output was printed.
        title: The name of the site.
        site_url: Where the site is published, with a slash at its end. Empty when it is read from a folder; then
            links are relative to the feed, which is what Atom allows.
    """
    chapters = []
    for chapter in book.chapters:
        own = [capture for capture in captures if capture[0].chapter == chapter.folder]
        # The newest first; those of one second in the order of their names.
        own.sort(key=lambda capture: capture[1].date, reverse=True)
        chapters += [(chapter, own)] if own else []
    chapters.sort(key=lambda each: each[1][0][1].date, reverse=True)
    root = Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _text(root, "title", f"{title}: changes")
    _text(root, "id", _identity(""))
    # A feed without entries has to have a date, too: that of no output at all.
    _text(root, "updated", chapters[0][1][0][1].date if chapters else "1970-01-01T00:00:00Z")
    _text(SubElement(root, "author"), "name", title)
    SubElement(root, "link", rel="alternate", type=_HTML, href=f"{site_url}index.html")
    if site_url:
        SubElement(root, "link", rel="self", type="application/atom+xml", href=f"{site_url}{FILE}")
    for chapter, own in chapters:
        _entry(root, chapter, own, site_url)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _entry(root: Element, chapter: Chapter, own: Sequence[Capture], site_url: str) -> None:
    page = f"{site_url}{chapter.name}.html"
    entry = SubElement(root, "entry")
    _text(entry, "title", chapter.title)
    _text(entry, "id", _identity(chapter.name))
    _text(entry, "updated", own[0][1].date)
    SubElement(entry, "link", rel="alternate", type=_HTML, href=page)
    items = "".join(
        f'<li>{kept.date[:10]}: <a href="{escape(page)}#{anchor(snippet.name)}">{snippet.name}</a>, '
        f"{escape(snippet.title)}</li>"
        for snippet, kept in own
    )
    many = "one output" if len(own) == 1 else f"{len(own)} outputs, the one printed last on top"
    _text(entry, "content", f"<p>{many}:</p><ul>{items}</ul>").set("type", "html")


def _text(parent: Element, tag: str, text: str) -> Element:
    element = SubElement(parent, tag)
    element.text = text
    return element


def _identity(name: str) -> str:
    """A name that stays when the site moves, as Atom asks for."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'living-book/{name}')}"
