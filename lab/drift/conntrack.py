"""`conntrack -L`: flows, and to whom their answers belong."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_FLOW = re.compile(r"(?P<protocol>tcp|udp|icmp|sctp|unknown)\s+\d+ (?:\d+ )?(?:(?P<state>[A-Z_]+) )?(?P<rest>.*src=.*)")
_PAIR = re.compile(r"\b(src|dst|sport|dport|mark)=(\S+)")


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Flows by who asked whom; the port that the kernel gave to the client is noise."""
    found = []
    for number, line in enumerate(lines):
        match = _FLOW.match(line)
        if not match:
            continue
        pairs: dict[str, list[str]] = {}
        for name, value in _PAIR.findall(match["rest"]):
            pairs.setdefault(name, []).append(value)
        there, back = _address(pairs, 0), _address(pairs, 1)
        subject = f"{match['protocol']} {pairs['src'][0]} -> {there}"
        fields = {"answers": back, "state": match["state"] or ""}
        found.append(Entry("flow", subject, fields, (number,)))
    return found


def _address(pairs: dict[str, list[str]], direction: int) -> str:
    """The served end of a flow: where it goes, and where its answers come from."""
    address, port = ("dst", "dport") if direction == 0 else ("src", "sport")
    words = [pairs.get(name, [])[direction : direction + 1] for name in (address, port)]
    return ":".join(word[0] for word in words if word)
