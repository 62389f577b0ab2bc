"""The prose of the pages reads as the house style says, and each chapter has its parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.site.checks import Tree
from lab.site.sources import load
from lab.site.style import chapter_faults, prose_faults, word_faults

ROOT = Path(__file__).parents[2]
PAGES = Tree(ROOT).pages
CHAPTERS = [f"docs/{chapter.name}.md" for chapter in load(ROOT / "docs").chapters]
DATA = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.yaml"))


def _read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_there_is_prose_to_check() -> None:
    """The checks below look at pages, chapters and files of texts."""
    assert len(PAGES) > 25
    assert len(CHAPTERS) == 11
    assert len(DATA) > 10


@pytest.mark.parametrize("page", PAGES)
def test_the_prose_of_a_page(page: str) -> None:
    """One sentence a line, short ones, short paragraphs, no filler, no contraction."""
    assert prose_faults(page, _read(page)) == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_parts_of_a_chapter(page: str) -> None:
    """Question, figure, surprises, tasks with answers, sources, and where it leads."""
    assert chapter_faults(page, _read(page)) == []


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


@pytest.mark.parametrize("path", DATA)
def test_the_texts_that_tables_are_made_of(path: str) -> None:
    """Claims, verdicts, terms and questions: the same words, and sentences as short."""
    texts = list(_texts(yaml.safe_load(_read(path))))
    assert len(texts) > 5
    assert [fault for text in texts for fault in word_faults(f"{path}, {text[:40]!r}", text)] == []


LONG = "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i."
SOUND = f"""\
---
title: Just a page that isn't checked here
---

# A heading, of any kind

A sentence with `code. And more`, and [a link](https://example.org/very/simply.html).
{LONG}
It is "just. Quoted", and the claim was “It's easy, of course.”
This very line says who it is: [the one](x.md).
{{ .lead }}

> A block that is quoted. It's just so.

```text
It's obviously. A command
```

- **A lead.**
  The item goes on.
- `code`
- **A name**

1.  A step, (in brackets).
    Its second sentence!

| very good. | It is |
|---|---|

??? success "Answer. It's here"

    The pod's own; its address.

<figure class="figure just">
<figcaption>One. Two.</figcaption>
</figure>

--8<-- "docs/just/very.svg"
"""


def test_sound_prose_has_no_fault() -> None:
    """Code, quotations, names, targets of links and what a page only includes are no prose."""
    assert prose_faults("page.md", SOUND.replace("| very good. ", "| good. ")) == []


PLANTED = {
    "two sentences": ("One is here. Two is there.", "page.md:3 has 2 sentences; each has a line of its own"),
    "two with a quotation": ('She says "so." Two is there.', "page.md:3 has 2 sentences; each has a line of its own"),
    "two, the second with code": ("One. `ip route` is two.", "page.md:3 has 2 sentences; each has a line of its own"),
    "two in an item": ("- One is here.\n  Two. Three.", "page.md:4 has 2 sentences; each has a line of its own"),
    "two in an answer": ("    One. Two is there.", "page.md:3 has 2 sentences; each has a line of its own"),
    "a sentence on two lines": ("A sentence that\ngoes on.", "page.md:3 ends within a sentence: 'A sentence that'"),
    "a long sentence": (f"More {LONG}", "page.md:3 has a sentence of 36 words; at most 35"),
    "a long cell": (f"| a | More {LONG} |", "page.md:3 has a sentence of 36 words; at most 35"),
    "a long caption": (f"<figcaption>More {LONG}</figcaption>", "page.md:3 has a sentence of 36 words; at most 35"),
    "a long paragraph": (
        f"{LONG}\n{LONG}\nMore {' '.join(LONG.split()[5:])}",
        "page.md:3 has a paragraph of 101 words; at most 100",
    ),
    "a filler": ("It is simply there.", "page.md:3 has the word 'simply': leave it out"),
    "a filler in a heading": ("## Just so", "page.md:3 has the word 'Just': leave it out"),
    "a filler of two words": ("Of course it is.", "page.md:3 has the word 'Of course': leave it out"),
    "very, as a measure": ("It is a very small unit.", "page.md:3 has the word 'very': leave it out"),
    "not": ("It doesn't go.", 'page.md:3 has "doesn\'t": write both words'),
    "is": ("It's gone.", 'page.md:3 has "It\'s": write both words'),
    "a typographic apostrophe": ("We\u2019ll see.", 'page.md:3 has "We\'ll": write both words'),
}


@pytest.mark.parametrize(("text", "fault"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_fault_of_prose_is_seen(text: str, fault: str) -> None:
    """The one fault that was planted is named, with its line."""
    assert prose_faults("page.md", f"# A page\n\n{text}\n\nThe end.\n") == [fault]


CHAPTER = """\
# A chapter

::: question name

--8<-- "docs/assets/figures/cluster.svg"

## What surprised us

## Try it

**1.** Do it.

??? success "Answer"

**2.** And this.

??? success "Answer"

## Sources

## Next

::: next name
"""


def test_a_sound_chapter_has_no_fault() -> None:
    """All parts, in their order, and two answers for two tasks."""
    assert chapter_faults("page.md", CHAPTER) == []


ORDER = "page.md has its parts in another order; they are ::: question, a figure, ## What surprised us"
LACKS = {
    "no question": ("::: question name", "", "page.md lacks ::: question"),
    "no figure": ("cluster.svg", "cluster.png", "page.md lacks a figure"),
    "no surprise": ("## What surprised us", "## Odd", "page.md lacks ## What surprised us"),
    "no sources": ("## Sources", "### Sources", "page.md lacks ## Sources"),
    "no way on": ("## Next", "", "page.md lacks ## Next"),
    "sources too early": ("::: question name", "## Sources\n\n::: question name", ORDER),
    "a figure too late": ('--8<-- "docs/assets/figures/cluster.svg"\n\n## What', "## What", "page.md lacks a figure"),
    "a task without an answer": ('??? success "Answer"\n\n## S', "## S", "page.md has the tasks [1, 2] and 1 answers"),
    "an answer without a task": ("**2.** And", "And", "page.md has the tasks [1] and 2 answers"),
    "a number twice": ("**2.**", "**1.**", "page.md has the tasks [1, 1] and 2 answers"),
}


@pytest.mark.parametrize(("old", "new", "fault"), LACKS.values(), ids=LACKS.keys())
def test_a_planted_fault_of_a_chapter_is_seen(old: str, new: str, fault: str) -> None:
    """A part that is not there, or not in its place, is named."""
    assert old in CHAPTER
    found = chapter_faults("page.md", CHAPTER.replace(old, new, 1))
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_no_task_at_all() -> None:
    """A chapter gives its reader something to do."""
    text = "".join(line for line in CHAPTER.splitlines(keepends=True) if line[:3] not in {"**1", "**2", "???"})
    assert chapter_faults("page.md", text) == ["page.md has the tasks none and 0 answers"]
