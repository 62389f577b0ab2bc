"""Notebooks: made from page, snippets and captures alone, each snippet once, the same bytes every time."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from lab import notebook, paths, snippets
from lab.errors import LabError
from lab.receipt import Receipt

Write = Callable[[str, str], Path]
PAGE = """\
---
title: Demo
---

# The demo chapter

```python
--8<-- "snippets/demo/second.py:part"
```

```` { .node-console }
--8<-- "snippets/demo/second.out"
````

--8<-- "snippets/other/else.py"

--8<-- "snippets/demo/first.py"
--8<-- "snippets/demo/second.py"
"""
SOURCE = '''"""Title of {name}."""

from lab import cluster

# --8<-- [start:part]
out = cluster.node("node01").run("true")
# --8<-- [end:part]
assert out.lines == []
'''


@pytest.fixture
def book(write: Write, project: Path) -> Path:
    """A checkout with one page, two snippets of its folder, and one of another."""
    write("mkdocs.yml", "nav:\n  - demo.md\n")
    write("docs/demo.md", PAGE)
    for chapter, name in (("demo", "first"), ("demo", "second"), ("other", "else")):
        _capture(write, chapter, name)
    return project


def _capture(write: Write, chapter: str, name: str) -> None:
    out = f"node01$ echo {name}\n{name} äöü\n"
    write(f"snippets/{chapter}/{name}.py", SOURCE.format(name=name))
    write(f"snippets/{chapter}/{name}.out", out)
    receipt = Receipt(
        snippet=f"{chapter}/{name}", date="2026-11-23T12:00:00Z", carrier="uml", commit=None, scenario=None,
        versions={"kubernetes": "v1.37.2", "linux": "7.3.4"}, key="", parts={},
        out=hashlib.sha256(out.encode()).hexdigest(),
    )  # fmt: skip
    write(f"snippets/{chapter}/{name}.json", receipt.text())


def _made(book: Path) -> nbformat.NotebookNode:
    text = notebook.make(notebook.find(book, "demo"))
    return nbformat.reads(text, as_version=nbformat.NO_CONVERT)


def test_cells_come_in_the_order_of_the_page(book: Path) -> None:
    """A snippet stands where the page first shows it or a part of it, once, and only those of the chapter."""
    assert [snippet.name for snippet in notebook.find(book, "demo").snippets] == ["demo/second", "demo/first"]
    headings = [cell.source.splitlines()[0] for cell in _made(book).cells if cell.cell_type == "markdown"]
    assert headings == ["# The demo chapter", "## Title of second", "## Title of first"]


def test_a_cell_is_the_whole_snippet_and_its_output_the_capture(book: Path) -> None:
    """The source lacks only the marks for the page; the output is the `.out` byte for byte."""
    cell = next(cell for cell in _made(book).cells if cell.cell_type == "code")
    lines = SOURCE.format(name="second").splitlines()
    assert cell.source.splitlines() == [line for line in lines if "--8<--" not in line]
    assert [(output.name, output.text) for output in cell.outputs] == [
        ("stdout", (book / "snippets/demo/second.out").read_text())
    ]


def test_it_says_when_and_on_what_the_output_was_printed(book: Path) -> None:
    """Day and versions come from the receipt."""
    text = _made(book).cells[1].source
    assert "`demo/second`. Printed on 2026-11-23, Kubernetes v1.37.2, Linux 7.3.4." in text


def test_it_is_valid_and_written_as_jupyter_writes_it(book: Path) -> None:
    """Jupyter's own library finds no fault, and would write the very same bytes."""
    text = notebook.make(notebook.find(book, "demo"))
    read = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(read)
    assert nbformat.writes(read) + "\n" == text


def test_equal_files_give_equal_bytes(book: Path) -> None:
    """Nothing in it is drawn or dated."""
    assert notebook.make(notebook.find(book, "demo")) == notebook.make(notebook.find(book, "demo"))
    ids = [cell["id"] for cell in json.loads(notebook.make(notebook.find(book, "demo")))["cells"]]
    assert len(set(ids)) == len(ids) == 5


def test_an_edited_capture_is_refused(book: Path, write: Write) -> None:
    """What no cluster printed does not get into a notebook."""
    write("snippets/demo/first.out", "typed by hand\n")
    with pytest.raises(LabError, match=r"demo/first: first\.out is not what was captured"):
        notebook.make(notebook.find(book, "demo"))


def test_an_unknown_chapter_names_the_known_ones(book: Path) -> None:
    """A folder without a page of its name is no chapter."""
    with pytest.raises(LabError, match="there is no chapter 'other'") as caught:
        notebook.find(book, "other")
    assert caught.value.hint == "the chapters are: demo"


def test_every_snippet_of_the_book_is_in_exactly_one_notebook() -> None:
    """No snippet is lost on the way from the page to the notebook."""
    there = [snippet.name for chapter in notebook.chapters(paths.ROOT) for snippet in chapter.snippets]
    assert there
    assert sorted(there) == [snippet.name for snippet in snippets.discover()]


@pytest.mark.parametrize("chapter", notebook.chapters(paths.ROOT), ids=lambda chapter: chapter.name)
def test_the_books_own_notebooks_are_valid(chapter: notebook.Chapter) -> None:
    """Each has as many code cells as snippets, each with one output."""
    read = nbformat.reads(notebook.make(chapter), as_version=nbformat.NO_CONVERT)
    nbformat.validate(read)
    code = [cell for cell in read.cells if cell.cell_type == "code"]
    assert len(code) == len(chapter.snippets) > 0
    assert all(len(cell.outputs) == 1 for cell in code)
