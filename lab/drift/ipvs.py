"""`ipvsadm -Ln`: virtual servers and the real servers behind them."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_VIRTUAL = re.compile(r"(?P<protocol>TCP|UDP|SCTP|FWM)\s+(?P<address>\S+)\s+(?P<scheduler>\w+)(?:\s+(?P<more>.*))?")
_REAL = re.compile(r"\s+->\s+(?P<address>[^\s:]+:\d+)\s+(?P<forward>\w+)\s+(?P<weight>\d+)\b.*")


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Servers; what is connected to them now comes and goes."""
    found: list[Entry] = []
    virtual = ""
    for number, line in enumerate(lines):
        if match := _VIRTUAL.fullmatch(line.strip()):
            virtual = f"{match['protocol']} {match['address']}"
            found.append(Entry("virtual server", virtual, {"scheduler": match["scheduler"]}, (number,)))
        elif match := _REAL.fullmatch(line):
            fields = {"forward": match["forward"], "weight": match["weight"]}
            found.append(Entry("real server", f"{virtual} -> {match['address']}", fields, (number,)))
    return found
