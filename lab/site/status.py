"""The status of every capture, for the page that lists them: when, on what, and whether it is still fresh."""

from datetime import UTC, datetime
from itertools import groupby

from lab import freshness, receipt
from lab.errors import LabError
from lab.receipt import Receipt
from lab.site.anchors import anchor
from lab.site.sources import Book
from lab.snippets import Snippet, discover

VERSIONS = ("kubernetes", "calico", "linux")
"""The components whose versions a row shows; the receipt has all of them."""


def status_tables(book: Book, today: datetime | None = None) -> list[str]:
    """A table for each chapter in the order of the book, with a row for each capture.

    Args:
        book: The chapters.
        today: Until when the age is counted; None means now, when the site is built.

    Raises:
        LabError: There is no snippet, or one belongs to no chapter.
    """
    when = today or datetime.now(UTC)
    places = {chapter.folder: number for number, chapter in enumerate(book.chapters)}
    found = discover()
    if not found:
        raise LabError("there are no snippets yet", hint="the first one: snippets/<chapter>/<name>.py")
    strangers = [snippet.name for snippet in found if snippet.chapter not in places]
    if strangers:
        raise LabError(f"in no chapter: {', '.join(strangers)}", hint="docs/chapters.yaml lists the chapters")
    states = {snippet.name: _state(snippet) for snippet in found}
    fresh = sum(state == "fresh" for _, state in states.values())
    lines = [f"{len(found)} captures, {fresh} of them fresh on {when:%Y-%m-%d}.", ""]
    found.sort(key=lambda snippet: places[snippet.chapter])
    for folder, snippets in groupby(found, key=lambda snippet: snippet.chapter):
        chapter = book.chapters[places[folder]]
        heads = ("capture", "date", "days", "printed on", "its key")
        lines += ["", f"## {chapter.title}", "", '<div class="status" markdown>', ""]
        lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        lines += [_row(snippet, chapter.name, *states[snippet.name], when) for snippet in snippets]
        lines += ["", "</div>"]
    return lines


def _state(snippet: Snippet) -> tuple[Receipt | None, str]:
    """The receipt, and whether what it depends on is as it was; why not, if not."""
    try:
        reasons = receipt.stale(snippet)
        return receipt.load(snippet)[1], "; ".join(reasons) or "fresh"
    except LabError as error:
        return None, error.summary


def _row(snippet: Snippet, page: str, kept: Receipt | None, state: str, when: datetime) -> str:
    short = snippet.name.partition("/")[2]
    cells = [f"[`{short}`]({page}.md#{anchor(snippet.name)})"]
    if kept is None:
        cells += ["", "", ""]
    else:
        versions = [f"{name} {kept.versions[name]}" for name in VERSIONS if name in kept.versions]
        cells += [kept.date[:10], str(freshness.age(kept.date, when)), ", ".join([kept.carrier, *versions])]
    return f"| {' | '.join([*cells, state])} |"
