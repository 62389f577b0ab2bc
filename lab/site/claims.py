"""Markdown extension: tables of claims, sources and chapters, rendered from the files that hold them.

A page only says which table stands where, on a line of its own:

    ::: source stackrox      author, year, link, and how much of it was seen
    ::: claims stackrox      its claims, each with verdict, snippet and chapter
    ::: sources article      the sources of one kind
    ::: where                which source is where in the book
    ::: chapters             the way through the book
    ::: read 2               the chapters of one of the four problems
    ::: question pod-to-pod  what a chapter answers
    ::: next pod-to-pod      where a chapter leads
    ::: status               every capture, and whether it is fresh
    ::: times                how long kube-proxy's updates took

The tables are Markdown, so MkDocs checks their links like any other.
"""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from mkdocs.exceptions import BuildError

from lab.errors import LabError
from lab.site.anchors import anchor
from lab.site.sources import HOME, KINDS, OPEN, PROBLEMS, VERDICTS, Book, Chapter, Claim, Source, load
from lab.site.status import status_tables
from lab.site.times import times_table

_MARK = re.compile(r"^(?P<indent>[ \t]*)::: (?P<what>[a-z]+)(?: (?P<name>[a-z0-9-]+))?[ \t]*$")
# After fences are put away (25), so that an example of a mark stays as it is,
# and before MkDocs collects the ids that links may name (21).
_PLACE = 22

_WORDS = {**{verdict: verdict for verdict in VERDICTS}, OPEN: "not judged yet"}
_EXTENT = {
    "seen": "the source itself was read",
    "partly seen": "a part of the source was read",
    "not seen": "the source itself was not seen",
}


def source_facts(book: Book, name: str) -> list[str]:
    """Who wrote a source, when, where it is, and how much of it was seen."""
    source = book.source(name)
    title = f"[{source.title}]({source.link})" if source.link else source.title
    return [
        *_head("the source", title),
        f"| by | {source.author or 'not known'} |",
        f"| year | {source.year or 'not dated'} |",
        f"| what we saw | **{source.visibility}**: {source.seen} |",
    ]


def claim_table(book: Book, name: str) -> list[str]:
    """Every claim of a source: verdict and reason, the snippet that decided it, and where the book uses it."""
    source = book.source(name)
    rows = [
        f'| <span id="claim-{claim.id}"></span>{claim.text} | {_verdict(claim)} '
        f"| {_decided(book, claim)} | {', '.join(_page(book, page, '../') for page in claim.used_in)} |"
        for claim in source.claims
    ]
    table = [*_head("claim", "verdict", "decided by", "in the book"), *rows]
    # The style sheet knows the table by the element around it.
    return [f"{tally(source)}.", "", '<div class="claims" markdown>', "", *table, "", "</div>"]


def source_table(book: Book, kind: str) -> list[str]:
    """The sources of one kind, with what became of their claims.

    Raises:
        LabError: No source is of this kind.
    """
    found = [source for source in book.sources.values() if source.kind == kind]
    if not found:
        raise LabError(f"no source is of the kind {kind!r}", hint=f"the kinds are {', '.join(KINDS)}")
    rows = [
        f"| [{source.title}]({source.name}.md){_by(source)} | {source.about} | {source.visibility} | {tally(source)} |"
        for source in sorted(found, key=lambda each: (each.year or 0, each.name))
    ]
    return [*_head("source", "what it is about", "seen by us", "its claims"), *rows]


def where_table(book: Book) -> list[str]:
    """For each page of the book the sources that it uses, in the order of the book."""
    rows = []
    for page in (HOME, *(chapter.name for chapter in book.chapters)):
        links = [f"[{source.title}]({source.name}.md)" for source in book.sources.values() if page in source.used_in]
        rows.append(f"| {_page(book, page, '../')} | {'<br>'.join(links) or 'none'} |")
    return [*_head("page", "sources"), *rows]


def chapter_table(book: Book) -> list[str]:
    """The way through the book: every chapter in its order, a link if it is written."""
    rows = [
        f"| {number} | {_chapter(book, chapter, '')} | {chapter.question} | {_problems(chapter)} |"
        for number, chapter in enumerate(book.chapters, 1)
    ]
    return [*_head("no.", "chapter", "what it answers", "problem"), *rows]


def problem_chapters(book: Book, number: str) -> list[str]:
    """The chapters of one of the four problems, without those that are about all of them.

    Raises:
        LabError: No chapter belongs to a problem of this number.
    """
    own = [chapter for chapter in book.chapters if chapter.problems != PROBLEMS]
    found = [_chapter(book, chapter, "") for chapter in own if number in map(str, chapter.problems)]
    if not found:
        raise LabError(f"no chapter belongs to the problem {number!r}", hint="the problems are 1 to 4")
    return [f"Read: {', '.join(found)}."]


def question(book: Book, name: str) -> list[str]:
    """What a chapter answers, to stand at its top."""
    return [f"**The question of this chapter:** {book.chapter(name).question}"]


def following(book: Book, name: str) -> list[str]:
    """How to check a cluster against a chapter, and where that leads: to the next one, or back to the first page."""
    chapter = book.chapter(name)
    check = f"Does your cluster say the same? [Check it](lab/check.md): `lab check {chapter.folder}`."
    number = book.chapters.index(chapter) + 1
    if number == len(book.chapters):
        return [check, "", f"This is the last chapter. Back to [the first page]({HOME}.md)."]
    after = book.chapters[number]
    return [check, "", f"Next: {_chapter(book, after, '')}.", after.question]


def tally(source: Source) -> str:
    """How many claims a source has, and how many of each verdict."""
    counts = Counter(claim.verdict for claim in source.claims)
    parts = [f"{_WORDS[verdict]}: {counts[verdict]}" for verdict in (*VERDICTS, OPEN) if counts[verdict]]
    total = len(source.claims)
    return f"{total} claim{'s' if total > 1 else ''} ({', '.join(parts)})"


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def _verdict(claim: Claim) -> str:
    """The verdict in words, so that it needs no colour; the reason behind it."""
    word = f'<strong class="verdict {claim.verdict.replace(" ", "-")}">{_WORDS[claim.verdict]}</strong>'
    return f"{word}<br>{claim.because}" if claim.because else word


def _decided(book: Book, claim: Claim) -> str:
    if claim.verdict == OPEN:
        return f"planned: {_code(claim.snippet_planned)}"
    return "<br>".join(_snippet(book, name) for name in claim.snippets)


def _snippet(book: Book, name: str) -> str:
    folder, short = name.split("/")
    pages = [chapter.name for chapter in book.chapters if chapter.folder == folder]
    if not pages:
        raise LabError(f"the snippet {name} is in no chapter", hint="docs/chapters.yaml lists the chapters")
    return f"[{_code(short)}](../{pages[0]}.md#{anchor(name)})"


def _code(name: str) -> str:
    """A snippet's name that a narrow column breaks after `/` and `_`, not inside a word."""
    breakable = re.sub("([/_])", r"\1<wbr>", name)
    return f"<code>{breakable}</code>"


def _page(book: Book, name: str, up: str) -> str:
    """A page of the book, from a page whose way to `docs/` is `up`."""
    return f"[The first page]({up}{HOME}.md)" if name == HOME else _chapter(book, book.chapter(name), up)


def _chapter(book: Book, chapter: Chapter, up: str) -> str:
    return f"[{chapter.title}]({up}{chapter.name}.md)" if book.written(chapter) else f"{chapter.title} (to come)"


def _by(source: Source) -> str:
    return "".join(f", {each}" for each in (source.author, source.year) if each)


def _problems(chapter: Chapter) -> str:
    return "all" if chapter.problems == PROBLEMS else " and ".join(map(str, chapter.problems))


NAMED: dict[str, Callable[[Book, str], list[str]]] = {
    "source": source_facts,
    "claims": claim_table,
    "sources": source_table,
    "read": problem_chapters,
    "question": question,
    "next": following,
}
ALONE: dict[str, Callable[[Book], list[str]]] = {
    "where": where_table,
    "chapters": chapter_table,
    "status": status_tables,
    "times": lambda book: times_table(),
}


class Renderer(Preprocessor):
    """Puts the Markdown of a table in the place of each mark."""

    def __init__(self, md: Markdown, docs: Path) -> None:
        """Read chapters and sources below `docs`."""
        super().__init__(md)
        self.docs = docs

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with the tables in place.

        Raises:
            BuildError: A file has faults, or a mark names what does not exist.
        """
        result: list[str] = []
        for line in lines:
            match = _MARK.match(line)
            result += self._table(match) if match else [line]
        return result

    def _table(self, match: re.Match[str]) -> list[str]:
        try:
            found = render(load(self.docs), match["what"], match["name"])
        except LabError as error:
            # MkDocs shows the message of its own errors without a traceback.
            raise BuildError(str(error)) from error
        return [f"{match['indent']}{line}" if line else "" for line in found]


def render(book: Book, what: str, name: str | None) -> list[str]:
    """The lines that a mark stands for.

    Raises:
        LabError: There is no such mark, or it names what does not exist.
    """
    if what in ALONE and name is None:
        return ALONE[what](book)
    if what in NAMED and name is not None:
        return NAMED[what](book, name)
    marks = [f"::: {each} NAME" for each in NAMED] + [f"::: {each}" for each in ALONE]
    raise LabError(f"there is no mark `::: {' '.join(filter(None, (what, name)))}`", hint=f"use {', '.join(marks)}")


class ClaimsExtension(Extension):
    """Registers the renderer; `docs` is the folder of the pages."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings from the site's configuration."""
        self.config = {"docs": ["docs", "Folder of chapters.yaml and sources/"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802, the name is Markdown's
        """Hook into a Markdown instance."""
        md.preprocessors.register(Renderer(md, Path(self.getConfig("docs"))), "claims", _PLACE)


def makeExtension(**settings: Any) -> ClaimsExtension:  # noqa: N802, the name is Markdown's
    """What Markdown calls when the configuration names this module."""
    return ClaimsExtension(**settings)
