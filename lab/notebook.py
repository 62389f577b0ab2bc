"""The chapters as notebooks: the same snippets in the order of the page, each with what the cluster printed.

Nothing here runs a snippet: the outputs are the captures, so equal files give equal notebooks, byte for byte.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import receipt, snippets
from lab.errors import LabError
from lab.receipt import Receipt
from lab.site.checks import Tree, page_of
from lab.snippets import Snippet

Cell = dict[str, Any]
_MARKER = re.compile(r"^[ \t]*#[ \t]*-+8<-+[ \t]+\[(?:start|end):")
_TITLE = re.compile(r"^# (?P<title>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Chapter:
    """A page, and the snippets of its folder.

    Attributes:
        name: The folder, such as `pod_to_pod`.
        page: The page, such as `docs/pod-to-pod.md`.
        title: The page's heading.
        snippets: In the order in which the page shows them.
    """

    name: str
    page: str
    title: str
    snippets: tuple[Snippet, ...]

    @property
    def file(self) -> str:
        """The name of its notebook, such as `pod-to-pod.ipynb`."""
        return f"{self.name.replace('_', '-')}.ipynb"


def chapters(root: Path) -> list[Chapter]:
    """The chapters of a checkout that have snippets, in the order of the navigation."""
    tree = Tree(root)
    names = dict.fromkeys(path.split("/")[1] for path in tree.snippets)
    found = [(page, name) for name in names if (page := page_of(tree, f"snippets/{name}/"))]
    order = {page: number for number, page in enumerate(tree.nav)}
    return [_chapter(tree, name, page) for page, name in sorted(found, key=lambda each: order.get(each[0], len(order)))]


def find(root: Path, name: str) -> Chapter:
    """The chapter of this name; dashes and underscores are the same.

    Raises:
        LabError: There is none; says which there are.
    """
    there = chapters(root)
    for chapter in there:
        if chapter.name == name.strip("/").replace("-", "_"):
            return chapter
    names = ", ".join(chapter.name for chapter in there)
    raise LabError(f"there is no chapter {name!r}", hint=f"the chapters are: {names or 'none yet'}")


def _chapter(tree: Tree, name: str, page: str) -> Chapter:
    shown = dict.fromkeys(
        include.path
        for include in tree.includes
        if include.page == page and include.path.startswith(f"snippets/{name}/") and include.path.endswith(".py")
    )
    text = (tree.root / page).read_text(encoding="utf-8")
    heading = _TITLE.search(text)
    title = heading["title"] if heading else name.replace("_", " ").capitalize()
    return Chapter(name, page, title, tuple(snippets.read(tree.root / path) for path in shown))


def make(chapter: Chapter) -> str:
    """The notebook of a chapter, as the content of its file.

    Raises:
        LabError: A snippet has no capture, or one that was edited by hand.
    """
    cells = [_markdown(_opening(chapter))]
    for number, snippet in enumerate(chapter.snippets, start=1):
        transcript, kept = receipt.load(snippet)
        cells.append(_markdown(_heading(snippet, kept)))
        cells.append(_code(source_of(snippet.path), transcript, number))
    notebook = {
        "cells": [_identified(cell, place) for place, cell in enumerate(cells)],
        "metadata": {
            # The kernel that every Jupyter has; the packages are those of the environment it was started from.
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "living_book": {"sources": digest(cells)},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def digest(cells: Iterable[Cell]) -> str:
    """Digest of what cells say and ask, whatever their outputs: another one means that somebody changed them."""
    return hashlib.sha256("\0".join("".join(cell["source"]) for cell in cells).encode()).hexdigest()


def is_changed(text: str) -> bool:
    """Whether a notebook's file is not as it was made, apart from the outputs of its cells."""
    try:
        found = json.loads(text)
        return bool(found["metadata"]["living_book"]["sources"] != digest(found["cells"]))
    except (ValueError, KeyError, TypeError):
        return True


def source_of(path: Path) -> str:
    """A snippet's whole text without the marks by which pages include parts of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not _MARKER.match(line)).strip()


def _opening(chapter: Chapter) -> str:
    return (
        f"# {chapter.title}\n\n"
        f"The snippets of the chapter *{chapter.title}* in its order, each with what the cluster printed.\n"
        f"To run them yourself, start the lab with `lab up` and open this notebook with "
        f"`lab notebook {chapter.name}`.\n"
        "Each cell stands alone: run them in any order, change them, and run them again."
    )


def _heading(snippet: Snippet, kept: Receipt) -> str:
    known = ("kubernetes", "Kubernetes"), ("calico", "Calico"), ("linux", "Linux")
    versions = [f"{label} {kept.versions[key]}" for key, label in known if key in kept.versions]
    printed = ", ".join([f"Printed on {kept.date[:10]}", *versions])
    return f"## {snippet.title.rstrip('.')}\n\n`{snippet.name}`. {printed}."


def _markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text)}


def _code(source: str, transcript: str, number: int) -> Cell:
    output = {"name": "stdout", "output_type": "stream", "text": _lines(transcript)}
    return {
        "cell_type": "code",
        "execution_count": number,
        "metadata": {},
        "outputs": [output],
        "source": _lines(source),
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _identified(cell: Cell, place: int) -> Cell:
    """The cell with an id that follows from its place and its text, where Jupyter would draw one."""
    text = f"{place}\0{cell['cell_type']}\0{''.join(cell['source'])}"
    return {**cell, "id": hashlib.sha256(text.encode()).hexdigest()[:8]}
