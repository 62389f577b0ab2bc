"""`ping`: the answers, and how many there were."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_ANSWER = re.compile(r"\d+ bytes from (?P<who>\S+): icmp_seq=(?P<number>\d+) ttl=(?P<ttl>\d+)\b")
_REFUSAL = re.compile(r"From (?P<who>\S+) icmp_seq=(?P<number>\d+) (?P<why>.*)")
_SUMMARY = re.compile(r"(?P<sent>\d+) packets transmitted, (?P<received>\d+) (?:packets )?received\b")


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """One entry for each answer, and one for the count at the end."""
    found = []
    whom = _whom(question.words)
    for number, line in enumerate(lines):
        if match := _ANSWER.match(line):
            fields = {"ttl": match["ttl"], "from": match["who"], "error": ""}
        elif match := _REFUSAL.match(line):
            fields = {"ttl": "", "from": match["who"], "error": match["why"]}
        elif match := _SUMMARY.match(line):
            fields = {"received": f"{match['received']} of {match['sent']}"}
            found.append(Entry("count", f"ping {whom}", fields, (number,)))
            continue
        else:
            continue
        found.append(Entry("answer", f"ping {match['number']} of {whom}", fields, (number,)))
    return found


def _whom(words: Sequence[str]) -> str:
    """The host that is pinged: the last word that looks like one, as options come before it."""
    hosts = [word for word in words if re.fullmatch(r"[0-9a-zA-Z][\w-]*(?:[.:][\w:-]*)+|localhost", word)]
    return hosts[-1] if hosts else words[-1] if words else ""
