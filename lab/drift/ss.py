"""`ss`: sockets."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_STATES = "LISTEN|ESTAB|UNCONN|TIME-WAIT|SYN-SENT|SYN-RECV|CLOSE-WAIT|FIN-WAIT-1|FIN-WAIT-2|LAST-ACK|CLOSING"
_SOCKET = re.compile(
    rf"(?:(?P<protocol>tcp|udp|raw|icmp\d?)\s+)?(?:(?P<state>{_STATES})\s+)?\d+\s+\d+\s+(?P<here>\S+:\S+)\s+(?P<there>\S+:\S+)"
)
# Linux gives these to clients; node ports end at 32767.
_FIRST_CLIENT_PORT = 32768


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Sockets by state and both ends; the port that the kernel gave to a client is noise."""
    found = []
    for number, line in enumerate(lines):
        match = _SOCKET.match(line.strip())
        if match:
            ends = [_end(match["here"]), _end(match["there"])]
            words = [match["protocol"], match["state"], *ends]
            found.append(Entry("socket", " ".join(filter(None, words)), {}, (number,)))
    return found


def _end(text: str) -> str:
    address, _, port = text.rpartition(":")
    return f"{address}:(client)" if port.isdigit() and int(port) >= _FIRST_CLIENT_PORT else text
