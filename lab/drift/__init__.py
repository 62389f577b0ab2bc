"""Drift as meaning: what a difference between two transcripts says about the cluster.

`explain` compares two transcripts; `shown` reads one. Each tool's output has a
parser of its own; what no parser reads is compared as text, so nothing is lost.
"""

import difflib
from dataclasses import dataclass

from lab.drift.compare import compare
from lab.drift.entry import EFFECTS, Entry, Finding, Kind
from lab.drift.reading import read
from lab.drift.tools import parse
from lab.drift.words import asked

__all__ = ["EFFECTS", "Entry", "Finding", "Kind", "Shown", "explain", "shown"]


def explain(old: str, new: str, *, cut: bool = False) -> list[Finding]:
    """What the differences between two transcripts mean, apart from noise.

    Args:
        old: The transcript that is kept.
        new: The transcript of today.
        cut: The new one ends early, because its snippet failed: what was not
            reached is no finding.

    Returns:
        Findings in the order of the transcript; empty when only noise differs.
    """
    before, after = read(old), read(new)
    matcher = difflib.SequenceMatcher(
        None, [answer.key for answer in before], [answer.key for answer in after], autojunk=False
    )
    found: list[Finding] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(before[a:b], after[c:d], strict=True):
                found += compare(one, other)
            continue
        if not (cut and d == len(after)):
            found += [asked(answer.node, answer.command, missing=True) for answer in before[a:b]]
        found += [asked(answer.node, answer.command, missing=False) for answer in after[c:d]]
    return found


@dataclass(frozen=True)
class Shown:
    """One question of a transcript, and what its answer shows.

    Attributes:
        node: Where it was asked, as in the prompt.
        command: The whole command.
        entries: What a parser reads in the answer; empty where it lists nothing, or no parser reads it.
    """

    node: str
    command: str
    entries: tuple[Entry, ...]


def shown(transcript: str) -> list[Shown]:
    """All that a transcript shows, question by question."""
    return [
        Shown(answer.node, answer.command, tuple(parse(answer.command, answer.lines) or ()))
        for answer in read(transcript)
    ]
