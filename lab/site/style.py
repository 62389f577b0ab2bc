"""How prose must read, and how a chapter must be built; each check returns its faults as lines of text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_WORDS = 35
"""Of a sentence, without targets of links; a piece of code is one word."""
MOST_WORDS_OF_A_PARAGRAPH = 100
FILLERS = (
    "actually", "basically", "certainly", "clearly", "easily", "in order to", "just", "merely", "naturally",
    "obviously", "of course", "quite", "really", "simply", "somewhat", "trivial", "trivially",
    "(?<!the )(?<!this )very",
)  # fmt: skip
"""Words that say nothing, or that something is easy to whoever finds it hard; `this very line` says something."""

_FENCE = re.compile(r"^\s*(?P<fence>`{3,}|~{3,})")
_MARKUP = re.compile(r"^\s*(?:-+8<-+ |::: |\{ |!!! |\?\?\?\+? |=== |<(?!figcaption|https?:)|\[\^?[\w-]+\]: )")
_TABLE = re.compile(r"^\s*\|")
_CAPTION = re.compile(r"^\s*<")
_HEADING = re.compile(r"^#+ ")
_ALONE = re.compile(r"^\s*(?:[-*+] )?(?:\*\*[^*]+\*\*|`[^`]+`)$")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+\.|:) +")
_TASK = re.compile(r"^\s*\*\*(?P<number>\d+)\.\*\* ")
_ANSWER = re.compile(r'^\?\?\? success "Answer')
_END = re.compile(r"(?<=[.?!])[\"')*]*\s+(?=[\"'(*\[]*[A-Z§])")
_FILLER = re.compile(rf"\b(?:{'|'.join(FILLERS)})\b", re.IGNORECASE)
_CONTRACTION = re.compile(
    r"\b(?:\w+n't|\w+'(?:re|ve|ll|d|m)|(?:he|here|how|it|let|she|that|there|what|where|who)'s)\b", re.IGNORECASE
)
_LABEL = "Term"
"""Stands for a piece of code: begins a sentence like a name, and is one word."""

PARTS = ("::: question", "a figure", "## What surprised us", "## Try it", "## Sources", "## Next")
"""What each chapter has, in this order."""


@dataclass
class _Paragraph:
    """Lines that belong together: the number of the first, and how many words they have."""

    line: int = 0
    words: int = 0


def prose_faults(page: str, text: str) -> list[str]:
    """What is wrong with a page's prose.

    A sentence has a line of its own and at most MOST_WORDS words, a paragraph at most
    MOST_WORDS_OF_A_PARAGRAPH. There are no contractions and no FILLERS; an exact
    quotation, in quotation marks or as a quoted block, may have them.
    """
    faults: list[str] = []
    paragraphs = [_Paragraph()]
    for number, line in _lines(text):
        where = f"{page}:{number}"
        faults += word_faults(where, line)
        plain = _plain(line)
        free = not plain or any(kind.match(line) for kind in (_TABLE, _HEADING, _ALONE, _CAPTION))
        if free or _ITEM.match(line):
            paragraphs.append(_Paragraph())
        if free:
            continue
        if (count := len(_END.split(plain))) > 1:
            faults.append(f"{where} has {count} sentences; each has a line of its own")
        if not re.search(r"[.:?!;][\"')*]*$", plain):
            faults.append(f"{where} ends within a sentence: {' '.join(plain.split()[-3:])!r}")
        paragraphs[-1].line = paragraphs[-1].line or number
        paragraphs[-1].words += len(plain.split())
    return faults + [
        f"{page}:{each.line} has a paragraph of {each.words} words; at most {MOST_WORDS_OF_A_PARAGRAPH}"
        for each in paragraphs
        if each.words > MOST_WORDS_OF_A_PARAGRAPH
    ]


def word_faults(where: str, text: str) -> list[str]:
    """Fillers, contractions and long sentences in a text, each told with `where` it is."""
    plain = _plain(text)
    lengths = [len(sentence.split()) for cell in plain.split("|") for sentence in _END.split(cell)]
    return [
        *(f"{where} has the word {match[0]!r}: leave it out" for match in _FILLER.finditer(plain)),
        *(f"{where} has {match[0]!r}: write both words" for match in _CONTRACTION.finditer(plain)),
        *(f"{where} has a sentence of {words} words; at most {MOST_WORDS}" for words in lengths if words > MOST_WORDS),
    ]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page that hold prose, by number; an empty one for what is none, as it ends a paragraph."""
    fence, head = "", text.startswith("---\n")
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if head:
            head = number == 1 or line != "---"
            yield number, ""
        elif fence:
            fence = "" if match and line.strip() == fence else fence
            yield number, ""
        elif match:
            fence = match["fence"]
            yield number, ""
        elif _MARKUP.match(line) or line.lstrip().startswith(">"):
            yield number, ""
        else:
            yield number, line


def _plain(line: str) -> str:
    """A line as it is read: without targets of links, code, quotations and marks."""
    text = re.sub(r"(`+)[^`]+\1", _LABEL, line)
    text = re.sub(r"\]\([^)]*\)|\]\[[^]]*\]", "]", text)
    text = re.sub(r"<https?:[^>]*>", _LABEL, text)
    text = re.sub(r"<[^>]+>|\[\^[\w-]+\]|\{[^}]*\}", " ", text)
    # A quotation may end the sentence that it stands in.
    text = re.sub(r'"[^"]*?([.?!]?)"|“[^”]*?([.?!]?)”', rf"{_LABEL}\1\2", text)
    text = _TASK.sub("", _ITEM.sub("", _HEADING.sub("", text)))
    return re.sub(r"[\[\]]|(?<!\w)-+(?!\w)", " ", text.replace("\u2019", "'")).strip()


def chapter_faults(page: str, text: str) -> list[str]:
    """What a chapter lacks: one of PARTS, their order, or an answer for each task."""
    lines = text.splitlines()
    places = [_first(lines, part) for part in PARTS]
    faults = [f"{page} lacks {part}" for part, place in zip(PARTS, places, strict=True) if place is None]
    found = [place for place in places if place is not None]
    if found != sorted(found):
        faults.append(f"{page} has its parts in another order; they are {', '.join(PARTS)}")
    tasks = [int(match["number"]) for line in lines if (match := _TASK.match(line))]
    answers = sum(bool(_ANSWER.match(line)) for line in lines)
    if not tasks or tasks != list(range(1, answers + 1)):
        faults.append(f"{page} has the tasks {tasks or 'none'} and {answers} answers")
    return faults


def _first(lines: Iterable[str], part: str) -> int | None:
    """The number of the line with which a part begins."""
    for number, line in enumerate(lines):
        if line == part or line.startswith(f"{part} ") or (part == "a figure" and _is_figure(line)):
            return number
    return None


def _is_figure(line: str) -> bool:
    return bool(re.match(r'^--8<-- "docs/assets/figures/[\w-]+\.svg"$', line))
