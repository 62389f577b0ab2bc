"""What must hold between claims, snippets and pages; each check returns its faults as lines of text."""

from collections.abc import Mapping

from lab import receipt, snippets
from lab.errors import LabError
from lab.site.sources import HOME, OPEN, Book


def claim_faults(book: Book) -> list[str]:
    """Verdicts that no snippet carries, open claims that could be judged, pages and chapters that do not exist.

    A snippet carries a verdict if it exists, asserts something, and its capture is whole.
    """
    known = {snippet.name: snippet for snippet in snippets.discover()}
    chapters = {chapter.folder for chapter in book.chapters}
    pages = {chapter.name for chapter in book.chapters} | {HOME}
    faults = []
    for source in book.sources.values():
        for claim in source.claims:
            found = [_carries(known, name) for name in claim.snippets]
            if claim.verdict == OPEN:
                found.append(_plan_fault(known, chapters, claim.snippet_planned))
            found += [f"{page} in used_in is no page of the book" for page in claim.used_in if page not in pages]
            faults += [f"{source.name}, {claim.id}: {fault}" for fault in found if fault]
    return faults


def _carries(known: Mapping[str, snippets.Snippet], name: str) -> str:
    """Why this snippet cannot carry a verdict; empty if it can."""
    if name not in known:
        return f"there is no snippet {name}; until there is one, the claim is open"
    if known[name].faults:
        return f"the snippet {name} has faults: {'; '.join(known[name].faults)}"
    try:
        receipt.load(known[name])
    except LabError as error:
        return f"the snippet {name} is not captured: {error.summary}"
    return ""


def _plan_fault(known: Mapping[str, snippets.Snippet], chapters: set[str], name: str) -> str:
    if name.split("/")[0] not in chapters:
        return f"the planned snippet {name} is in no chapter of the book"
    if _carries(known, name):
        return ""
    return f"the snippet {name} is captured: judge the claim now, and give it verdict, snippets and because"


def page_faults(book: Book) -> list[str]:
    """Sources without a page, pages without a source, headings that differ, and sources that a page does not credit."""
    pages = {path.stem for path in (book.docs / "sources").glob("*.md")} - {HOME}
    faults = [f"sources/{name}.md is missing" for name in book.sources if name not in pages]
    faults += [f"sources/{name}.md has no {name}.yaml" for name in sorted(pages - book.sources.keys())]
    for chapter in filter(book.written, book.chapters):
        text = (book.docs / f"{chapter.name}.md").read_text(encoding="utf-8")
        heading = next((line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")), "")
        if heading != chapter.title:
            faults.append(f"{chapter.name}.md has the heading {heading!r}, chapters.yaml says {chapter.title!r}")
    for page in (HOME, *(chapter.name for chapter in book.chapters if book.written(chapter))):
        faults += _credit_faults(book, page)
    return faults


def _credit_faults(book: Book, page: str) -> list[str]:
    text = (book.docs / f"{page}.md").read_text(encoding="utf-8")
    faults = []
    for source in book.sources.values():
        credited = f"sources/{source.name}.md" in text or (source.link is not None and source.link in text)
        if page in source.used_in and not credited:
            faults.append(f"{page}.md uses {source.name} and does not credit it: link sources/{source.name}.md there")
        if credited and page not in source.used_in:
            faults.append(f"{page}.md credits {source.name}, but no claim of {source.name}.yaml has it in used_in")
    return faults
