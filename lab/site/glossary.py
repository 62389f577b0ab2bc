"""Markdown extension: the terms of `docs/glossary.yaml`, as a page and as tooltips.

`::: glossary` stands for the list of all terms. On a page with `::: terms`, the
first use of each term becomes a link to its place in that list; the script
`terms.js` shows its text when the link is hovered over or has the focus. The
texts themselves are in one script for the whole site: see `script`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from mkdocs.exceptions import BuildError

from lab.errors import LabError
from lab.site.sources import Book, read_yaml
from lab.site.sources import load as load_book

FILE = "glossary.yaml"
PAGE = "glossary.md"
LIST, MARK = "::: glossary", "::: terms"
SCRIPT = "assets/js/glossary.js"

# Before `lab.site.claims` (22), which refuses marks that it does not know.
_PLACE = 22.5
# After words have become elements (20), before MkDocs resolves links and checks them (0).
_LINK = 3
# In these a link would be wrong, or would change what a reader copies.
_NO_TERMS = {"a", "h1", "h2", "h3", "h4", "pre", "svg", "summary", "script", "style", "button", "label", "th"}
_TITLES = {"admonition-title"}


@dataclass(frozen=True)
class Term:
    """A word of the field.

    Attributes:
        name: How the glossary's page calls it.
        text: What it is, in one or two plain sentences.
        live: Where the book shows it: a page, mostly with an anchor, relative to `docs/`.
        forms: The spellings that are linked.
    """

    name: str
    text: str
    live: str
    forms: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its anchor on the glossary's page."""
        return self.name.lower().replace(" ", "-")


def load(docs: Path) -> tuple[Term, ...]:
    """Every term, in the order of the alphabet.

    Raises:
        LabError: The file is missing or has faults; all of them at once.
    """
    path = docs / FILE
    items = read_yaml(path)
    faults = list(_faults(items))
    if faults:
        raise LabError(f"{FILE} has faults", detail="\n".join(faults), hint=f"the file is {path}")
    terms = [
        Term(item["term"], " ".join(item["text"].split()), item["live"], tuple(item.get("forms", [item["term"]])))
        for item in items
    ]
    return tuple(sorted(terms, key=lambda term: term.name.lower()))


def _faults(items: Any) -> Iterator[str]:
    if not isinstance(items, list) or not items:
        yield "it must be a list of terms"
        return
    seen: dict[str, str] = {}
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict) or not {"term", "text", "live"} <= item.keys() <= {
            "term",
            "text",
            "live",
            "forms",
        }:
            yield f"term {number}: the fields are term, text, live, and forms if there are several"
            continue
        # Two terms with one spelling: a use could be either.
        for form in {item["term"], *item.get("forms", ())}:
            if form in seen:
                yield f"{form!r} belongs to {seen[form]} and to {item['term']}"
            seen[form] = item["term"]


def glossary(book: Book, terms: tuple[Term, ...]) -> list[str]:
    """The list of all terms as Markdown: what each is, and where the book shows it."""
    lines = ['<div class="glossary" markdown>', ""]
    for term in terms:
        lines += [
            f'<span id="{term.id}"></span>{term.name}',
            f":   {term.text}",
            f"    See it in {_place(book, term)}.",
            "",
        ]
    return [*lines, "</div>"]


def _place(book: Book, term: Term) -> str:
    page = term.live.partition("#")[0].removesuffix(".md")
    title = "the cluster" if page == "lab/cluster" else book.chapter(page).title
    return f"[{title}]({term.live})"


def script(docs: Path) -> str:
    """The script that holds the text of every term, by its id.

    A page opened from a folder may not fetch data, but it may load a script.
    """
    texts = {term.id: term.text for term in load(docs)}
    return f"globalThis.bookTerms = {json.dumps(texts, ensure_ascii=False, indent=0)};\n"


class Renderer(Preprocessor):
    """Puts the list in the place of its mark, and notes whether the page wants its terms linked."""

    def __init__(self, md: Markdown, docs: Path, linker: "Linker") -> None:
        """Read the terms below `docs`."""
        super().__init__(md)
        self.docs, self.linker = docs, linker

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with the list in place and the mark gone.

        Raises:
            BuildError: The terms have faults, or one is shown on a page that does not exist.
        """
        self.linker.wanted = MARK in lines
        try:
            terms = load(self.docs)
            made = {MARK: [""], LIST: glossary(load_book(self.docs), terms) if LIST in lines else []}
        except LabError as error:
            # MkDocs shows the message of its own errors without a traceback.
            raise BuildError(str(error)) from error
        self.linker.terms = terms
        return [new for line in lines for new in made.get(line, [line])]


class Linker(Treeprocessor):
    """Makes the first use of each term a link."""

    wanted = False
    terms: tuple[Term, ...] = ()

    def run(self, root: Element) -> None:
        """Change the page's tree in place."""
        if self.wanted:
            names = {form: term for term in self.terms for form in term.forms}
            # The longest first: a CNI plugin is more than CNI.
            words = "|".join(re.escape(form) for form in sorted(names, key=len, reverse=True))
            self._walk(root, re.compile(rf"(?<![\w-])(?:{words})(?![\w-])"), names, set())

    def _walk(self, element: Element, words: re.Pattern[str], names: dict[str, Term], seen: set[Term]) -> None:
        """Go through the text of an element in the order in which it is read."""
        if element.tag in _NO_TERMS or _TITLES & set(element.get("class", "").split()):
            return
        if element.tag == "code":
            if (term := names.get(element.text or "")) and term not in seen:
                seen.add(term)
                self._wrap_code(element, term)
            return
        place = 0
        for child in [None, *element]:
            if child is not None:
                self._walk(child, words, names, seen)
                place += 1
            text = (element.text if child is None else child.tail) or ""
            links, first = self._links(text, words, names, seen)
            if child is None:
                element.text = first
            else:
                child.tail = first
            for link in links:
                element.insert(place, link)
                place += 1

    def _links(
        self, text: str, words: re.Pattern[str], names: dict[str, Term], seen: set[Term]
    ) -> tuple[list[Element], str]:
        """The links that stand in a text, each with the text behind it, and the text before the first."""
        links: list[Element] = []
        end, first = 0, text
        for match in words.finditer(text):
            term = names[match[0]]
            if term in seen:
                continue
            seen.add(term)
            if links:
                links[-1].tail = text[end : match.start()]
            else:
                first = text[: match.start()]
            links.append(_link(term, match[0]))
            end = match.end()
        if links:
            links[-1].tail = text[end:]
        return links, first

    def _wrap_code(self, element: Element, term: Term) -> None:
        """`tunl0`: the element becomes a link that holds the code."""
        code = Element("code")
        code.text = element.text
        element.tag, element.text = "a", None
        element.attrib.update(_link(term, "").attrib)
        element.append(code)


def _link(term: Term, text: str) -> Element:
    link = Element("a", {"class": "term", "href": f"{PAGE}#{term.id}"})
    link.text = text
    return link


class GlossaryExtension(Extension):
    """Registers the two steps; `docs` is the folder of the pages."""

    def __init__(self, **settings: Any) -> None:
        """Take the settings from the site's configuration."""
        self.config = {"docs": ["docs", "Folder of glossary.yaml"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802, the name is Markdown's
        """Hook into a Markdown instance."""
        linker = Linker(md)
        md.preprocessors.register(Renderer(md, Path(self.getConfig("docs")), linker), "glossary", _PLACE)
        md.treeprocessors.register(linker, "glossary-link", _LINK)


def makeExtension(**settings: Any) -> GlossaryExtension:  # noqa: N802, the name is Markdown's
    """What Markdown calls when the configuration names this module."""
    return GlossaryExtension(**settings)
