"""`birdc` and `birdcl`: `show protocols` and `show route`."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.ip_route import value_after
from lab.drift.question import Question

_DATE = r"(?:\d{4}-\d\d-\d\d(?: [\d:.]+)?|[\d:.]+)"
_PROTOCOL = re.compile(
    rf"(?P<name>\w+)\s+(?P<type>[A-Z]\w+)\s+(?P<table>\S+)\s+(?P<state>up|down|start|stop|flush)\s+"
    rf"{_DATE}(?:\s+(?P<info>\S.*))?"
)
_ROUTE = re.compile(r"(?P<net>[0-9a-f.:]+/\d+)\s+(?P<type>\w+)\s+\[(?P<protocol>\w+) [^]]*\]\s*(?P<rest>.*)")


def parse_protocols(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Each protocol with its state; BGP's own word for it (`Established`) comes behind."""
    found = []
    for number, line in enumerate(lines):
        match = _PROTOCOL.fullmatch(line.strip())
        if match:
            state = " ".join([match["state"], *(match["info"] or "").split()])
            found.append(Entry("session", match["name"], {"state": state}, (number,)))
    return found


def parse_routes(question: Question, lines: Sequence[str]) -> list[Entry]:
    """The routes that BIRD knows; not those of the kernel."""
    found: list[Entry] = []
    for number, line in enumerate(lines):
        match = _ROUTE.match(line)
        if match:
            fields = {"type": match["type"], "via": "", "device": "", "protocol": match["protocol"]}
            found.append(Entry("BIRD route", match["net"], fields, (number,)))
        elif found and line[:1].isspace() and line.split():
            last, words = found[-1], line.split()
            hop = {"via": value_after(words, "via"), "device": value_after(words, "on") or value_after(words, "dev")}
            found[-1] = Entry(last.what, last.subject, {**last.fields, **hop}, (*last.lines, number))
    return found
