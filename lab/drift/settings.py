"""`sysctl`, and files of `/proc/sys` and `/sys/class/net` that `grep .` prints with their names."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

_SYSCTL = re.compile(r"(?P<name>[\w./-]+) = ?(?P<value>.*)")
_FILE = re.compile(r"(?P<name>/?(?:[\w.@-]+/)+[\w.-]+):(?P<value>.*)")
_LINK = re.compile(r"(?:/sys/class/net/)?(?P<link>[\w.-]+)/(?P<what>mtu|operstate|address)")
_FIELDS = {"mtu": "mtu", "operstate": "state", "address": "mac"}


def parse_sysctl(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Settings by name."""
    found = []
    for number, line in enumerate(lines):
        match = _SYSCTL.fullmatch(line)
        if match:
            found.append(Entry("setting", match["name"], {"value": match["value"]}, (number,)))
    return found


def parse_files(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Settings by file; those of a link become a link's."""
    found = []
    for number, line in enumerate(lines):
        match = _FILE.fullmatch(line)
        if not match:
            continue
        link = _LINK.fullmatch(match["name"])
        if link:
            fields = {_FIELDS[link["what"]]: match["value"]}
            found.append(Entry("link", link["link"], fields, (number,), key=match["name"]))
        else:
            found.append(Entry("setting", match["name"], {"value": match["value"]}, (number,)))
    return found
