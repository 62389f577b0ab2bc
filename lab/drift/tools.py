"""Which parser reads the output of which command."""

import re
from collections.abc import Callable, Sequence

from lab.drift import bird, conntrack, ip_link, ip_route, iptables, ipvs, kubectl, nft, ping, settings, ss
from lab.drift.entry import Entry
from lab.drift.question import Question, question

Parser = Callable[[Question, Sequence[str]], list[Entry]]


def parse(command: str, lines: Sequence[str]) -> list[Entry] | None:
    """What an output shows, or None where no parser reads this command's output."""
    asked = question(command)
    find = PROGRAMS.get(asked.program) if asked else None
    parser = find(asked) if find and asked else None
    return parser(asked, lines) if parser and asked else None


def _ip(asked: Question) -> Parser | None:
    words = [word for word in asked.words if not word.startswith("-")]
    if "-n" in asked.words[:-1]:
        words.remove(asked.words[asked.words.index("-n") + 1])
    if not words or "-br" in asked.words or "-brief" in asked.words:
        return None
    # `ip` takes every beginning of an object's name.
    for name, parser in _OBJECTS.items():
        if name.startswith(words[0]):
            return parser
    return None


_OBJECTS: dict[str, Parser] = {
    "route": ip_route.parse_routes,
    "address": ip_link.parse_links,
    "link": ip_link.parse_links,
    "neighbour": ip_route.parse_neighbours,
    "neighbor": ip_route.parse_neighbours,
}


def _iptables(asked: Question) -> Parser | None:
    return iptables.parse if iptables.lists_rules(asked) else None


def _bird(asked: Question) -> Parser | None:
    text = " ".join(asked.words)
    if re.search(r"\bshow protocols(?! all)\b", text):
        return bird.parse_protocols
    return bird.parse_routes if re.search(r"\bshow route\b(?!.*\b(?:count|all)\b)", text) else None


def _files(asked: Question) -> Parser | None:
    return settings.parse_files if len(asked.words) > 2 and asked.words[0] in (".", "-H", "''", "") else None


def _kubectl(asked: Question) -> Parser | None:
    output = re.search(r"(?:^| )(?:-o|--output)[ =]?(\S+)", " ".join(asked.words))
    table = output is None or output[1].split("=")[0] in ("wide", "custom-columns")
    return kubectl.parse if "get" in asked.words and table else None


PROGRAMS: dict[str, Callable[[Question], Parser | None]] = {
    "ip": _ip,
    "iptables": _iptables,
    "iptables-save": _iptables,
    "ip6tables": _iptables,
    "ip6tables-save": _iptables,
    "nft": lambda asked: nft.parse if "list" in asked.words else None,
    "birdc": _bird,
    "birdcl": _bird,
    "ping": lambda asked: ping.parse,
    "conntrack": lambda asked: conntrack.parse if "-L" in asked.words else None,
    "ipvsadm": lambda asked: ipvs.parse,
    "ss": lambda asked: ss.parse,
    "sysctl": lambda asked: settings.parse_sysctl,
    "grep": _files,
    "kubectl": _kubectl,
}
