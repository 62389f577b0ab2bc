"""`ip route`: routes, and the decision of `ip route get`; `ip neigh`."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from lab.drift.entry import Entry
from lab.drift.question import Question

_TYPES = {"unicast", "local", "broadcast", "multicast", "anycast", "blackhole", "unreachable", "prohibit", "throw"}
_DESTINATION = re.compile(r"default|[0-9.]{7,15}(?:/\d+)?|[0-9a-f]*:[0-9a-f:.]*(?:/\d+)?")


def parse_routes(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Routes; where the question names the device (`dev X`), the lines do not, and it is taken from there."""
    asked = value_after(question.words, "dev")
    if any(word in ("-j", "-json") for word in question.words):
        return [_from_json(route, asked, len(lines)) for route in objects(lines)]
    what = "decision" if "get" in question.words else "route"
    return [
        entry
        for numbers, words in _paragraphs(lines)
        if (entry := _from_words(what, words, asked, numbers)) is not None
    ]


def _paragraphs(lines: Sequence[str]) -> Iterable[tuple[tuple[int, ...], list[str]]]:
    """Each line that is not indented, with those below it that are: next hops of one route, or its cache."""
    begun: list[int] = []
    for number, line in enumerate(lines):
        if begun and not line[:1].isspace():
            yield tuple(begun), " ".join(lines[n] for n in begun).split()
            begun = []
        begun.append(number)
    if begun:
        yield tuple(begun), " ".join(lines[n] for n in begun).split()


def _from_words(what: str, words: list[str], asked: str, numbers: tuple[int, ...]) -> Entry | None:
    kind = words.pop(0) if words and words[0] in _TYPES else "unicast"
    if not words or not _DESTINATION.fullmatch(words[0]):
        return None
    fields = {"type": kind, "via": _all_after(words, "via"), "device": _all_after(words, "dev") or asked}
    subject = whole(words[0]) if what == "route" else words[0]
    return Entry(what, subject, fields, numbers)


def _from_json(route: dict[str, Any], asked: str, count: int) -> Entry:
    hops = route.get("nexthops") or [route]
    fields = {
        "type": str(route.get("type", "unicast")),
        "via": ", ".join(str(hop["gateway"]) for hop in hops if "gateway" in hop),
        "device": ", ".join(str(hop["dev"]) for hop in hops if "dev" in hop) or asked,
    }
    return Entry("route", whole(str(route["dst"])), fields, tuple(range(count)), rest=sorted_json(route))


def parse_neighbours(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Neighbours with their Ethernet address; how fresh they are is noise."""
    asked = value_after(question.words, "dev")
    found = []
    for number, line in enumerate(lines):
        words = line.split()
        if words and words[0] != "default" and _DESTINATION.fullmatch(words[0]):
            device = value_after(words, "dev") or asked
            found.append(
                Entry("neighbour", f"{words[0]} on {device}", {"mac": value_after(words, "lladdr")}, (number,))
            )
    return found


def whole(destination: str) -> str:
    """A destination with its length, as `ip` leaves it out for a single address."""
    if destination == "default" or "/" in destination:
        return destination
    return f"{destination}/{128 if ':' in destination else 32}"


def value_after(words: Sequence[str], name: str) -> str:
    """The word after this one; empty if there is none."""
    return words[words.index(name) + 1] if name in words[:-1] else ""


def _all_after(words: Sequence[str], name: str) -> str:
    return ", ".join(words[number + 1] for number, word in enumerate(words[:-1]) if word == name)


def objects(lines: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of a list in JSON; none for what is not one, such as an error message."""
    try:
        found = json.loads("\n".join(lines) or "[]")
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict) and item] if isinstance(found, list) else []


def sorted_json(item: dict[str, Any], *, noise: Sequence[str] = ()) -> str:
    """One line of text that is equal for equal objects, apart from these keys."""
    return json.dumps({key: value for key, value in item.items() if key not in noise}, sort_keys=True)
