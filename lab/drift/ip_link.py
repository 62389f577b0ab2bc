"""`ip link` and `ip addr`: links with their state, MTU and addresses."""

import re
from collections.abc import Sequence
from typing import Any

from lab.drift.entry import Entry
from lab.drift.ip_route import objects, sorted_json, value_after
from lab.drift.question import Question

_HEAD = re.compile(r"\d+: (?P<name>[^\s:@]+)(?:@(?P<peer>\S+))?: <(?P<flags>[^>]*)> (?P<rest>.*)")
# Given in the order of creation, or counting down: noise.
_NOISE = ("ifindex", "link_index", "link_netnsid", "link_netns", "stats", "stats64")
_NOISE_OF_ADDRESS = ("valid_life_time", "preferred_life_time")


def parse_links(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Links of `ip link` or `ip addr`, also of a part of the output such as `| grep inet`."""
    if any(word in ("-j", "-json") for word in question.words):
        return [_from_json(link, len(lines)) for link in objects(lines)]
    found: list[Entry] = []
    for number, line in enumerate(lines):
        head = _HEAD.match(line)
        if head:
            found.append(_from_head(head, number))
        elif found and line[:1].isspace() and (not _bare(line, found[-1])):
            found[-1] = _with_line(found[-1], line, number)
        elif line.split()[:1] in (["inet"], ["inet6"]):
            words = line.split()
            found.append(Entry("link", words[-1], {"addresses": words[1]}, (number,)))
    return found


def _bare(line: str, last: Entry) -> bool:
    """Whether a filter took the heads away, so that this line begins a link of its own."""
    return "state" not in last.fields and line.split()[0] in ("inet", "inet6")


def _from_head(head: re.Match[str], number: int) -> Entry:
    fields = {
        "state": state(head["flags"].split(",")),
        "mtu": value_after(head["rest"].split(), "mtu"),
        "master": value_after(head["rest"].split(), "master"),
    }
    return Entry("link", head["name"], fields, (number,))


def _with_line(entry: Entry, line: str, number: int) -> Entry:
    fields, words = dict(entry.fields), line.split()
    if words[0].startswith("link/") and len(words) > 1:
        fields["mac"] = words[1]
    elif words[0] in ("inet", "inet6"):
        fields["addresses"] = ", ".join(filter(None, [fields.get("addresses", ""), words[1]]))
    return Entry(entry.what, entry.subject, fields, (*entry.lines, number))


def _from_json(link: dict[str, Any], count: int) -> Entry:
    addresses = link.get("addr_info") or []
    fields = {
        "state": state(link.get("flags", [])),
        "mtu": str(link.get("mtu", "")),
        "master": str(link.get("master", "")),
        "mac": str(link.get("address", "")),
        "addresses": ", ".join(f"{item.get('local')}/{item.get('prefixlen')}" for item in addresses),
    }
    plain = {**link, "addr_info": [sorted_json(item, noise=_NOISE_OF_ADDRESS) for item in addresses]}
    return Entry("link", str(link.get("ifname")), fields, tuple(range(count)), rest=sorted_json(plain, noise=_NOISE))


def state(flags: Sequence[str]) -> str:
    """A link's state in words, from its flags: what `state` says of a tunnel is UNKNOWN."""
    if "UP" not in flags:
        return "down"
    return "up" if "LOWER_UP" in flags else "no carrier"
