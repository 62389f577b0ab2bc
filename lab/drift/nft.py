"""`nft list`: chains, rules in their order, and the elements of sets and maps."""

import re
from collections.abc import Iterator, Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_OPEN = re.compile(r"(?P<what>table|chain|set|map) (?P<name>.+) \{")
_POLICY = re.compile(r"type \w+ hook .*?(?:policy (?P<policy>\w+);)?")
_DNAT = re.compile(r"\bdnat(?: ip6?)? to (?P<value>\S+)")
_COUNTER = re.compile(r" ?\bcounter packets \d+ bytes \d+|\s*# handle \d+$")
# Lines of a set or map that say what it is, not what is in it.
_ABOUT = re.compile(r"(?:type|typeof|flags|comment|size|timeout|gc-interval|policy|auto-merge)\b.*")


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Entries of all tables that are shown."""
    if any(re.fullmatch(r"-[a-z]*j[a-z]*|--json", word) for word in question.words):
        from lab.drift.nft_json import parse_json

        return parse_json(lines)
    found: list[Entry] = []
    table, block, name = "", "", ""
    for numbers, text in _statements(lines):
        opened = _OPEN.fullmatch(text)
        if opened and opened["what"] == "table":
            table = opened["name"]
        elif opened:
            block, name = opened["what"], opened["name"]
            if block == "chain":
                found.append(Entry("chain", name, {"policy": ""}, numbers, key=f"{table} {name}"))
        elif text == "}":
            if block == "chain":
                _extend(found, table, name, numbers)
            block = ""
        elif block == "chain":
            _chain_line(found, table, name, text, numbers, ordered=question.ordered)
        elif block and text.startswith("elements = {"):
            found += _elements(f"{table} {name}", name, text, numbers)
    return found


def _statements(lines: Sequence[str]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Lines, with those joined that one pair of braces inside a rule or an `elements =` spans."""
    begun: list[int] = []
    text = ""
    for number, line in enumerate(lines):
        begun.append(number)
        text = f"{text} {_COUNTER.sub('', line.strip())}".strip()
        if _OPEN.fullmatch(text) or text.count("{") <= text.count("}"):
            if text:
                yield tuple(begun), text
            begun, text = [], ""


def _chain_line(
    found: list[Entry], table: str, chain: str, text: str, numbers: tuple[int, ...], *, ordered: bool
) -> None:
    policy = _POLICY.fullmatch(text)
    if policy:
        _extend(found, table, chain, numbers, policy=policy["policy"] or "")
    elif not text.startswith("comment "):
        target = _DNAT.search(text)
        key = f"{table} {chain} {_DNAT.sub('dnat to', text)}"
        place = f"{table} {chain}" if ordered else ""
        fields = {"to": target["value"] if target else ""}
        found.append(Entry("rule", f"{chain}: {text}", fields, numbers, key, place))


def _extend(found: list[Entry], table: str, chain: str, numbers: tuple[int, ...], **fields: str) -> None:
    """Add lines to the entry of a chain: its policy, its end."""
    head = next(n for n in range(len(found) - 1, -1, -1) if found[n].key == f"{table} {chain}")
    old = found[head]
    found[head] = Entry(old.what, old.subject, {**old.fields, **fields}, (*old.lines, *numbers), old.key)


def _elements(owner: str, name: str, text: str, numbers: tuple[int, ...]) -> list[Entry]:
    inner = text.removeprefix("elements = {").rstrip().removesuffix("}")
    found = []
    for element in filter(None, (part.strip() for part in inner.split(","))):
        key, _, value = element.partition(" : ")
        entry = Entry("element", f"{name}: {key}", {"value": value}, numbers, f"{owner} {key}", rest=element)
        found.append(entry)
    return found
