"""The chapters, the sources and their claims, read from `docs/`.

A claim is a sentence of a source in our words. A snippet judges it, or it is
open and names the snippet that will. `lab.site.claims` renders these files into
pages, `lab.site.verdicts` checks them against snippets and pages.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

VERDICTS = ("holds", "changed since", "needs care")
OPEN = "open"
KINDS = ("article", "video", "specification", "notes")
PROBLEMS = (1, 2, 3, 4)
VISIBILITY = ("seen", "partly seen", "not seen")
HOME = "index"

_ID = re.compile(r"[a-z][a-z0-9-]*")
_SNIPPET = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_SOURCE_FIELDS = {"title", "author", "year", "link", "kind", "about", "visibility", "seen", "claims"}
_CLAIM_FIELDS = {"id", "text", "verdict", "used_in"}
_JUDGED, _PLANNED = {"snippets", "because"}, {"snippet_planned"}


@dataclass(frozen=True)
class Chapter:
    """A chapter of the book, written or not.

    Attributes:
        name: Its page without `.md`; its snippets' folder has underscores for dashes.
        title: The heading of its page.
        problems: Which of the four problems it belongs to, by number.
        question: What it answers.
    """

    name: str
    title: str
    problems: tuple[int, ...]
    question: str

    @property
    def folder(self) -> str:
        """The folder of its snippets."""
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Claim:
    """What a source says, and what became of it.

    Attributes:
        id: Its name on the source's page.
        text: The claim in our words.
        verdict: One of VERDICTS, or OPEN.
        used_in: Pages of the book that it went into: chapters, or HOME.
        snippets: Those that judge it; none while it is open.
        because: What they showed; empty while it is open.
        snippet_planned: The one that will judge it, while it is open.
    """

    id: str
    text: str
    verdict: str
    used_in: tuple[str, ...]
    snippets: tuple[str, ...] = ()
    because: str = ""
    snippet_planned: str = ""


@dataclass(frozen=True)
class Source:
    """An article, a video, a specification, or the notes.

    Attributes:
        name: Its page without `.md`.
        visibility: One of VISIBILITY; `seen` says it in words.
    """

    name: str
    title: str
    author: str | None
    year: int | None
    link: str | None
    kind: str
    about: str
    visibility: str
    seen: str
    claims: tuple[Claim, ...]

    @property
    def used_in(self) -> frozenset[str]:
        """Every page that one of its claims went into."""
        return frozenset(page for claim in self.claims for page in claim.used_in)


@dataclass(frozen=True)
class Book:
    """What the files under `docs/` say: chapters in their order, sources by name."""

    docs: Path
    chapters: tuple[Chapter, ...]
    sources: Mapping[str, Source]

    def chapter(self, name: str) -> Chapter:
        """One chapter by its page's name.

        Raises:
            LabError: There is none of that name; says which there are.
        """
        for chapter in self.chapters:
            if chapter.name == name:
                return chapter
        raise LabError(f"there is no chapter {name!r}", hint=f"docs/chapters.yaml has {_list(self.chapters)}")

    def source(self, name: str) -> Source:
        """One source by its page's name.

        Raises:
            LabError: There is none of that name; says which there are.
        """
        if name not in self.sources:
            raise LabError(f"there is no source {name!r}", hint=f"docs/sources has {', '.join(self.sources)}")
        return self.sources[name]

    def written(self, chapter: Chapter) -> bool:
        """Whether the chapter has a page."""
        return (self.docs / f"{chapter.name}.md").is_file()


def _list(chapters: Iterable[Chapter]) -> str:
    return ", ".join(chapter.name for chapter in chapters)


def load(docs: Path) -> Book:
    """Read `chapters.yaml` and every `sources/*.yaml`.

    Raises:
        LabError: A file cannot be read or has faults; all faults of all files at once.
    """
    faults: list[str] = []
    chapters = _chapters(read_yaml(docs / "chapters.yaml"), faults)
    files = sorted((docs / "sources").glob("*.yaml"))
    if not files:
        faults.append("sources: there is no .yaml file")
    found = {path.stem: _source(path.stem, read_yaml(path), faults) for path in files}
    if faults:
        count = len(faults)
        raise LabError(
            f"the sources of the book have {count} fault{'s' if count > 1 else ''}",
            detail="\n".join(faults),
            hint="the files are docs/chapters.yaml and docs/sources/*.yaml",
        )
    return Book(docs, chapters, found)


def read_yaml(path: Path) -> Any:
    """What a file of the book holds.

    Raises:
        LabError: It is missing, or is not YAML.
    """
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except FileNotFoundError as error:
        raise LabError(f"{path} is missing") from error
    except yaml.YAMLError as error:
        raise LabError(f"{path} is not YAML", detail=str(error)) from error


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int) -> Any:
    """A file's content; every page asks for it, so it is parsed once for each time that it `changed`."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class _Entry:
    """One mapping of a file: hands out its fields and notes what is wrong with them."""

    def __init__(self, where: str, value: Any, fields: set[str], faults: list[str]) -> None:
        self.where, self.faults = where, faults
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.fault("must be a mapping of fields")
        for name in self.values:
            if name not in fields:
                self.fault(f"{name} is not a field here; the fields are {', '.join(sorted(fields))}")
        for name in sorted(fields - self.values.keys()):
            self.fault(f"{name} is missing")

    def fault(self, text: str) -> None:
        self.faults.append(f"{self.where}: {text}")

    def text(self, name: str) -> str:
        """A text on one line; missing ones were told already."""
        value = self.values.get(name, "-")
        if not isinstance(value, str) or not value.strip():
            self.fault(f"{name} must be a text")
            return ""
        if "|" in value:
            self.fault(f"{name} holds a |, which a table cannot show")
        return " ".join(value.split())

    def maybe(self, name: str) -> str | None:
        """A text, or null for what is not known."""
        return None if self.values.get(name) is None else self.text(name)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(name)
        if name in self.values and value not in choices:
            self.fault(f"{name} is {value!r}; it can be {', '.join(choices)}")
        return str(value)

    def many(self, name: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
        """A list of names with at least one, none twice."""
        value = self.values.get(name, ["-"])
        if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
            self.fault(f"{name} must be a list of names")
            return ()
        for each in value:
            if name in self.values and not pattern.fullmatch(each):
                self.fault(f"{name}: {each!r} is no such name")
        if len(set(value)) < len(value):
            self.fault(f"{name} has a name twice")
        return tuple(value)


def _chapters(value: Any, faults: list[str]) -> tuple[Chapter, ...]:
    if not isinstance(value, list) or not value:
        faults.append("chapters.yaml: must be a list of chapters")
        return ()
    chapters = []
    for number, item in enumerate(value, 1):
        entry = _Entry(f"chapters.yaml, {number}", item, {"name", "title", "problems", "question"}, faults)
        problems = entry.values.get("problems", [])
        if not isinstance(problems, list) or not problems or not set(problems) <= set(PROBLEMS):
            entry.fault("problems must be a list of numbers from 1 to 4")
            problems = []
        chapters.append(Chapter(entry.text("name"), entry.text("title"), tuple(problems), entry.text("question")))
    return tuple(chapters)


def _source(name: str, value: Any, faults: list[str]) -> Source:
    entry = _Entry(name, value, _SOURCE_FIELDS, faults)
    year, link = entry.values.get("year"), entry.maybe("link")
    if year is not None and not isinstance(year, int):
        entry.fault("year must be a number, or null if it is not known")
    if link is not None and not link.startswith("https://"):
        entry.fault("link must begin with https://, or be null for what is not public")
    claims = entry.values.get("claims")
    if not isinstance(claims, list) or not claims:
        entry.fault("claims must be a list with at least one claim")
        claims = []
    found = tuple(_claim(f"{name}, claim {number}", item, faults) for number, item in enumerate(claims, 1))
    ids = [claim.id for claim in found]
    for each in sorted({each for each in ids if ids.count(each) > 1}):
        entry.fault(f"two claims have the id {each}")
    return Source(
        name=name,
        title=entry.text("title"),
        author=entry.maybe("author"),
        year=year,
        link=link,
        kind=entry.choice("kind", KINDS),
        about=entry.text("about"),
        visibility=entry.choice("visibility", VISIBILITY),
        seen=entry.text("seen"),
        claims=found,
    )


def _claim(where: str, value: Any, faults: list[str]) -> Claim:
    verdict = value.get("verdict") if isinstance(value, dict) else None
    judged = verdict != OPEN
    entry = _Entry(where, value, _CLAIM_FIELDS | (_JUDGED if judged else _PLANNED), faults)
    entry.choice("verdict", (*VERDICTS, OPEN))
    name = entry.text("id")
    if "id" in entry.values and not _ID.fullmatch(name):
        entry.fault(f"id {name!r} must be lower-case letters, digits and dashes")
    planned = "" if judged else entry.text("snippet_planned")
    if "snippet_planned" in entry.values and not judged and not _SNIPPET.fullmatch(planned):
        entry.fault(f"snippet_planned is {planned!r}, no chapter/name")
    return Claim(
        id=name,
        text=entry.text("text"),
        verdict=str(verdict),
        used_in=entry.many("used_in", _ID),
        snippets=entry.many("snippets", _SNIPPET) if judged else (),
        because=entry.text("because") if judged else "",
        snippet_planned=planned,
    )
