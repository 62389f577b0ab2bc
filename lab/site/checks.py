"""What must hold between pages, navigation and snippets; each check returns its faults as lines of text."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

_INCLUDE = re.compile(r"""^[ \t]*-{1,}8<-{1,}[ \t]+["'](?P<path>[^"':]+)(?::(?P<section>[^"']+))?["'][ \t]*$""")
_SECTION_NAME = re.compile(r"[a-z][-_0-9a-z]*", re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without acting on its tags (environment variables, Python names)."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Include:
    """A line of a page that includes a file, or a section of it."""

    page: str
    line: int
    path: str
    section: str | None

    def __str__(self) -> str:
        """Where the line stands."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Tree:
    """A checkout: its pages, its navigation, its snippets. All paths are relative to `root`, with `/`."""

    root: Path

    def _files(self, folder: str, pattern: str) -> list[str]:
        found = (path for path in (self.root / folder).rglob(pattern) if "__pycache__" not in path.parts)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    @cached_property
    def pages(self) -> list[str]:
        """Every page."""
        return self._files("docs", "*.md")

    @cached_property
    def nav(self) -> list[str]:
        """The pages that the navigation names, in its order."""
        text = (self.root / "mkdocs.yml").read_text(encoding="utf-8")
        return [f"docs/{entry}" for entry in _leaves(yaml.load(text, Loader=_Loader)["nav"])]

    @cached_property
    def snippets(self) -> list[str]:
        """Every snippet; the objects that they need are no snippets."""
        return [path for path in self._files("snippets", "*.py") if not path.startswith("snippets/scenarios/")]

    @cached_property
    def captures(self) -> list[str]:
        """Every transcript and every receipt."""
        return self._files("snippets", "*.out") + self._files("snippets", "*.json")

    @cached_property
    def includes(self) -> list[Include]:
        """Every line of a page that includes something."""
        return [include for page in self.pages for include in self._includes(page)]

    def _includes(self, page: str) -> Iterator[Include]:
        text = (self.root / page).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            if match := _INCLUDE.match(line):
                yield Include(page, number, match["path"], match["section"])


def _leaves(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        yield from _leaves(list(entry.values()))
    elif isinstance(entry, list):
        for each in entry:
            yield from _leaves(each)


def nav_faults(tree: Tree) -> list[str]:
    """Pages that the navigation does not name, names twice, or that do not exist."""
    faults = [f"{page} is in no place of the nav" for page in tree.pages if page not in tree.nav]
    faults += [f"the nav names {page}, which does not exist" for page in tree.nav if page not in tree.pages]
    faults += [f"the nav names {page} twice" for page in sorted(set(tree.nav)) if tree.nav.count(page) > 1]
    return faults


def include_faults(tree: Tree) -> list[str]:
    """Includes of a file or section that is not there, or that a change above it would silently move."""
    return [fault for include in tree.includes for fault in _include_faults(tree, include)]


def _include_faults(tree: Tree, include: Include) -> Iterator[str]:
    path = tree.root / include.path
    if not path.is_file():
        yield f"{include} includes {include.path}, which does not exist"
        return
    if include.section is None:
        return
    if not _SECTION_NAME.fullmatch(include.section):
        yield f"{include} includes lines of {include.path} by number; name a section instead"
        return
    text = path.read_text(encoding="utf-8")
    for end in ("start", "end"):
        count = len(re.findall(rf"-+8<-+[ \t]+\[{end}:[ \t]*{re.escape(include.section)}[ \t]*\]", text))
        if count != 1:
            yield f"{include}: {include.path} marks the {end} of {include.section!r} {count} times"


def snippet_faults(tree: Tree) -> list[str]:
    """Snippets without a transcript, a receipt or a place on their page, and captures without a snippet."""
    shown = {(include.page, include.path) for include in tree.includes}
    faults = []
    for snippet in tree.snippets:
        page = page_of(tree, snippet)
        if page is None:
            faults.append(f"{snippet}: no page has the name {_chapter(snippet).replace('_', '-')}.md")
        for path in (snippet, snippet.removesuffix(".py") + ".out"):
            if not (tree.root / path).is_file():
                faults.append(f"{snippet} has no {Path(path).suffix}; capture it with: lab update {_name(snippet)}")
            elif page is not None and (page, path) not in shown:
                faults.append(f"{path} is not on its page {page}")
        if not (tree.root / snippet).with_suffix(".json").is_file():
            faults.append(f"{snippet} has no .json; capture it with: lab update {_name(snippet)}")
    known = {snippet.removesuffix(".py") for snippet in tree.snippets}
    faults += [f"{path} belongs to no snippet" for path in tree.captures if path.rsplit(".", 1)[0] not in known]
    return faults


def page_of(tree: Tree, snippet: str) -> str | None:
    """The page that belongs to a snippet's folder: `pod_to_pod` and `pod-to-pod.md`."""
    name = f"{_chapter(snippet).replace('_', '-')}.md"
    return next((page for page in tree.pages if page.rsplit("/", 1)[1] == name), None)


def _chapter(snippet: str) -> str:
    return snippet.split("/")[1]


def _name(snippet: str) -> str:
    return snippet.removeprefix("snippets/").removesuffix(".py")


def width_faults(tree: Tree, columns: int = 72) -> list[str]:
    """Lines of snippets that are wider than the page."""
    return [
        f"{path}:{number} has {len(line)} columns; {columns} fit on the page"
        for path in tree.snippets
        for number, line in enumerate((tree.root / path).read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > columns
    ]


def tracked_files(root: Path) -> list[Path]:
    """The files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := root / name).is_file()]


def word_faults(files: Iterable[Path], words: Iterable[str]) -> list[str]:
    """Places where a text file has one of these words; the case of letters does not matter."""
    pattern = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)
    faults = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # not a text file
        for number, line in enumerate(lines, start=1):
            faults += [f"{path}:{number} names {match.group()}" for match in pattern.finditer(line)]
    return faults
