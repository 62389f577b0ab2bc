"""`iptables -S` and `iptables-save`: chains, their policies, and rules in their order."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_PROBABILITY = re.compile(r" -m statistic --mode random --probability (?P<value>\S+)")
_TARGET = re.compile(r" --to-destination (?P<value>\S+)")
_COUNTERS = re.compile(r"^\[\d+:\d+\] | -c \d+ \d+\b")
_CHAIN = re.compile(r"(?:-[PN] (?P<listed>\S+)(?: (?P<policy>[A-Z]+))?|:(?P<saved>\S+) (?P<save>[A-Z]+|-) \[.*\])")


def lists_rules(question: Question) -> bool:
    """Whether this prints rules as `iptables` would take them."""
    return question.program.endswith("-save") or any(
        re.fullmatch(r"-[vnw46]*S|--list-rules", word) for word in question.words
    )


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Chains and rules of one table, or of all that `iptables-save` prints."""
    table = _table(question.words)
    found: list[Entry] = []
    for number, line in enumerate(lines):
        text = " ".join(_COUNTERS.sub("", line).split())
        if re.fullmatch(r"\*[a-z]+", text):
            table = text[1:]
        elif match := _CHAIN.fullmatch(text):
            policy = (match["policy"] or match["save"] or "").strip("-")
            name = match["listed"] or match["saved"]
            found.append(Entry("chain", name, {"policy": policy}, (number,), key=f"{table} {name}"))
        elif text.startswith("-A "):
            found.append(_rule(table, text, number, ordered=question.ordered))
    return found


def _table(words: Sequence[str]) -> str:
    for number, word in enumerate(words[:-1]):
        if word in ("-t", "--table"):
            return words[number + 1]
    return "filter"


def _rule(table: str, text: str, number: int, *, ordered: bool) -> Entry:
    """A rule; what it is apart from its probability and its DNAT target is what makes it the same rule."""
    chain = text.split()[1]
    probability, target = _PROBABILITY.search(text), _TARGET.search(text)
    fields = {
        "probability": probability["value"] if probability else "",
        "to": target["value"] if target else "",
    }
    key = f"{table} " + _TARGET.sub(" --to-destination", _PROBABILITY.sub("", text))
    place = f"{table} {chain}" if ordered else ""
    return Entry("rule", text, fields, (number,), key=key, place=place)
