"""Which sentences of the book rest on a snippet: those around the places where a page includes it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from lab import paths

_INCLUDE = re.compile(r"^;*-+8<-+ +\"(?P<path>[^\"]+)\"")
_BLOCK = re.compile(r"^-+8<-+$")
_FENCE = re.compile(r"^(?P<marks>`{3,}|~{3,})(?P<rest>.*)$")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)(?: +#*)?(?: *\{[^}]*\})?$")
# Between sentences of one line; an abbreviation or a number goes on in small letters or digits.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^a-z0-9])")


@dataclass(frozen=True)
class Claim:
    """One place of a page that rests on a snippet.

    Attributes:
        page: The file, from the checkout's folder on: `docs/pod-to-pod.md`.
        line: Where it stands, counted from 1.
        heading: The nearest heading above; empty if there is none.
        before: The sentences of the paragraph above the include.
        after: The sentences below it, up to the next include or heading.
    """

    page: str
    line: int
    heading: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the page says about the output: most often that stands below it."""
        return self.after + self.before


@dataclass(frozen=True)
class _Part:
    """A stretch of a page: `text` is prose, a heading, or the name of an included file."""

    kind: str
    line: int
    text: str


def claims(name: str) -> list[Claim]:
    """The places of all pages that rest on a snippet, in the order of the pages.

    Args:
        name: The snippet's name, such as `pod_to_pod/mtu`.
    """
    docs = paths.ROOT / "docs"
    return [claim for page in sorted(docs.rglob("*.md")) for claim in claims_of(page, name)]


def claims_of(page: Path, name: str) -> list[Claim]:
    """The places of one page that rest on a snippet; includes without prose between them are one place."""
    parts = list(_parts(page.read_text(encoding="utf-8").splitlines()))
    shown = page.relative_to(paths.ROOT).as_posix()
    found, number = [], 0
    while number < len(parts):
        if _includes(parts[number], name):
            end = _last_include(parts, number, name)
            found.append(_claim(shown, parts, number, end))
            number = end
        elif parts[number].kind == "prose" and f"`{name}`" in parts[number].text:
            said = tuple(each for each in _sentences(parts[number].text) if f"`{name}`" in each)
            found.append(Claim(shown, parts[number].line, _heading(parts, number), after=said))
        number += 1
    return found


def wording(claim: Claim, mentioned: Sequence[str] = ()) -> str:
    """One place in one line: the page, the heading and the sentence.

    Args:
        claim: The place.
        mentioned: Words of what changed, the surest first: the sentence that has one of them is the one to read.
    """
    sentences = claim.sentences
    hit = next((each for word in mentioned for each in sentences if word in each), "")
    sentence = hit or (sentences[0] if claim.after else sentences[-1] if sentences else "")
    heading = f', "{claim.heading}"' if claim.heading else f", line {claim.line}"
    return f"{claim.page}{heading}" + (f': "{sentence}"' if sentence else "")


def _includes(part: _Part, name: str) -> bool:
    stem = part.text.split(":")[0].removeprefix("./")
    return part.kind == "include" and stem in (f"snippets/{name}.py", f"snippets/{name}.out")


def _last_include(parts: Sequence[_Part], number: int, name: str) -> int:
    """The last part of a run of includes of the same snippet."""
    while number + 1 < len(parts) and _includes(parts[number + 1], name):
        number += 1
    return number


def _claim(page: str, parts: Sequence[_Part], first: int, last: int) -> Claim:
    above = [part for part in parts[max(first - 1, 0) : first] if part.kind == "prose"]
    below = list(takewhile(lambda part: part.kind == "prose", parts[last + 1 :]))
    before, after = (tuple(each for part in some for each in _sentences(part.text)) for some in (above, below))
    return Claim(page, parts[first].line, _heading(parts, first), before, after)


def _heading(parts: Sequence[_Part], number: int) -> str:
    above = [part.text for part in parts[:number] if part.kind == "heading"]
    return above[-1] if above else ""


def _parts(lines: Sequence[str]) -> Iterator[_Part]:
    """Headings, paragraphs and includes of a page; of a fence only what it includes."""
    fence, in_block = "", False
    paragraph: list[str] = []
    start = 0
    for number, line in _numbered(lines):
        text = line.strip()
        marks = _FENCE.match(text)
        block, include = _BLOCK.match(text), _INCLUDE.match(text)
        ends = not text or block or include or marks or in_block or fence
        heading = None if fence else _HEADING.match(text)
        if paragraph and (ends or heading):
            yield _Part("prose", start, "\n".join(paragraph))
            paragraph = []
        if block:
            in_block = not in_block
        elif include or (in_block and text):
            yield _Part("include", number, include["path"] if include else text)
        elif marks and _toggles(marks, fence):
            fence = "" if fence else marks["marks"]
        elif heading:
            yield _Part("heading", number, heading["text"])
        elif text and not fence and not in_block:
            start = start if paragraph else number
            paragraph.append(text)
    if paragraph:
        yield _Part("prose", start, "\n".join(paragraph))


def _toggles(marks: re.Match[str], fence: str) -> bool:
    """Whether a line of backticks opens a fence, or closes the open one."""
    return not fence or (marks["marks"].startswith(fence) and not marks["rest"].strip())


def _numbered(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without the front matter."""
    begin = lines.index("---", 1) + 1 if lines[:1] == ["---"] and "---" in lines[1:] else 0
    yield from enumerate(lines[begin:], begin + 1)


def _sentences(paragraph: str) -> tuple[str, ...]:
    """The sentences of a paragraph; a row of a table, an item of a list and a heading's line stand alone."""
    whole: list[str] = []
    for line in paragraph.splitlines():
        alone = line.startswith(("|", "- ", "* ", "??? ", "!!! ", "=== "))
        if whole and not alone and not whole[-1].startswith("|") and not whole[-1].endswith((".", "!", "?", ":")):
            whole[-1] += " " + line
        else:
            whole.append(line)
    found = [part for line in whole for part in ([line] if line.startswith("|") else _SENTENCE_END.split(line))]
    # `{ .lead }` and the like are for the style sheet.
    return tuple(part for part in found if not re.fullmatch(r"\{[^}]*\}", part))
