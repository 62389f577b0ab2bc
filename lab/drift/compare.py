"""Two answers to one question, compared as what they mean."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.drift import words
from lab.drift.entry import Entry, Finding
from lab.drift.question import question
from lab.drift.reading import Answer
from lab.drift.tools import parse

Pair = tuple[Entry, Entry]
Identity = tuple[str, str, str, int]


@dataclass(frozen=True)
class _Side:
    """One answer with its entries; `text` is what is told about each entry, apart from noise."""

    answer: Answer
    entries: dict[Identity, Entry]
    text: dict[Identity, str]
    loose: list[str]


def compare(old: Answer, new: Answer) -> list[Finding]:
    """What differs, apart from noise; empty for nothing.

    Nothing is lost: a line that no parser reads, or that differs in what its
    parser does not look at, becomes a finding about text.
    """
    node, command = old.node, old.command
    spacing = words.cosmetic(node, command, _joined(old.lines), _joined(new.lines))
    if old.normal == new.normal and old.status == new.status:
        return [] if old.masked == new.masked else [spacing]
    found: list[Finding] = []
    if old.status != new.status:
        found.append(words.ended(node, command, old.status, new.status, _last(new)))
    before, after = _side(old), _side(new)
    if before is None or after is None:
        return found + _text(old, old.normal, new.normal)
    # A command that failed answered nothing: that it lists nothing follows, and its message was told.
    silent = old.status != new.status and not after.entries
    structural = [] if silent else _structural(before, after)
    left = [] if silent else _text(old, *_unexplained(before, after))
    found += structural + left
    return found or [spacing]


def _side(answer: Answer) -> _Side | None:
    parsed = parse(answer.command, answer.lines)
    if parsed is None:
        return None
    entries = _numbered(parsed)
    claimed = {number for entry in parsed for number in entry.lines}
    loose = [line for number, line in enumerate(answer.normal) if number not in claimed and line]
    text = {key: entry.rest or _told(entry, answer) for key, entry in entries.items()}
    return _Side(answer, entries, text, loose)


def _told(entry: Entry, answer: Answer) -> str:
    return "\n".join(answer.normal[number] for number in entry.lines)


def _numbered(entries: Iterable[Entry]) -> dict[Identity, Entry]:
    """Entries by identity; the second of two equal ones has the number 1."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found: dict[Identity, Entry] = {}
    for entry in entries:
        found[(*entry.identity, seen[entry.identity])] = entry
        seen[entry.identity] += 1
    return found


def _structural(old: _Side, new: _Side) -> list[Finding]:
    node, command = old.answer.node, old.answer.command
    chains_gone, chains_new = _chains(old, new), _chains(new, old)
    found: list[Finding] = []
    for key, entry in old.entries.items():
        if key not in new.entries:
            if entry.place not in chains_gone:
                found.append(words.gone(node, command, entry, old.text[key]))
        elif old.text[key] != new.text[key]:
            found += words.changed(node, command, entry, new.entries[key])
    for key, entry in new.entries.items():
        if key not in old.entries and entry.place not in chains_new:
            found.append(words.new(node, command, entry, new.text[key]))
    return found + _orders(old, new)


def _chains(one: _Side, other: _Side) -> set[str]:
    """Chains that only one side has: their rules go and come with them."""
    return {key[2] for key, entry in one.entries.items() if entry.what == "chain" and key not in other.entries}


def _orders(old: _Side, new: _Side) -> list[Finding]:
    """One finding for each list whose common entries stand in another order."""
    found = []
    for place in dict.fromkeys(entry.place for entry in old.entries.values() if entry.place):
        before = [key for key, entry in old.entries.items() if entry.place == place and key in new.entries]
        after = [key for key, entry in new.entries.items() if entry.place == place and key in old.entries]
        if before != after:
            lists = (_joined(old.text[key] for key in before), _joined(new.text[key] for key in after))
            found.append(words.reordered(old.answer.node, old.answer.command, place, *lists))
    return found


def _unexplained(old: _Side, new: _Side) -> tuple[list[str], list[str]]:
    """Lines that differ without a finding: those of no entry, and of entries whose known fields are equal."""
    before, after = list(old.loose), list(new.loose)
    for key, entry in old.entries.items():
        same = key in new.entries and dict(entry.fields) == dict(new.entries[key].fields)
        if same and old.text[key] != new.text[key]:
            before.append(old.text[key])
            after.append(new.text[key])
    return before, after


def _text(answer: Answer, old: Sequence[str], new: Sequence[str]) -> list[Finding]:
    """A finding about lines, where they are not equal."""
    asked = question(answer.command)
    if asked and not asked.ordered:
        old, new = sorted(old), sorted(new)
    gone: list[str] = []
    come: list[str] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            gone += old[a:b]
            come += new[c:d]
    return [words.text(answer.node, answer.command, _joined(gone), _joined(come))] if gone or come else []


def _last(answer: Answer) -> str:
    return next((line for line in reversed(answer.normal) if line), "")


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)
