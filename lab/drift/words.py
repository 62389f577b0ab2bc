"""Differences in words: which kind each one is, and the sentence that says it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from lab.drift.entry import Entry, Finding, Kind


@dataclass(frozen=True)
class Sort:
    """How one sort of entry is spoken of.

    Attributes:
        noun: In a sentence, with `{}` for the subject.
        missing: The kind of a finding when it is gone.
        added: The kind when it is new.
        fields: For each field that may change: its kind, and how it is said, with `{old}` and `{new}`.
    """

    noun: str
    missing: Kind
    added: Kind
    fields: Mapping[str, tuple[Kind, str]]


_ROUTE = {
    "type": (Kind.ROUTE_TYPE_CHANGED, "is of type {new}, not {old}"),
    "via": (Kind.NEXT_HOP_CHANGED, "goes by {new}, not by {old}"),
    "device": (Kind.DEVICE_CHANGED, "leaves through {new}, not through {old}"),
}
_LINK = {
    "state": (Kind.LINK_STATE_CHANGED, "is {new}, not {old}"),
    "mtu": (Kind.MTU_CHANGED, "has an MTU of {new}, not {old}"),
    "mac": (Kind.ADDRESS_CHANGED, "has the Ethernet address {new}, not {old}"),
    "addresses": (Kind.ADDRESS_CHANGED, "has as address {new}, not {old}"),
    "master": (Kind.LINK_STATE_CHANGED, "is plugged into {new}, not into {old}"),
}
_RULE = {
    "probability": (Kind.PROBABILITY_CHANGED, "is taken with a probability of {new}, not {old}"),
    "to": (Kind.DNAT_TARGET_CHANGED, "sends to {new}, not to {old}"),
}
_ANSWER = {
    "ttl": (Kind.ANSWER_CHANGED, "came with a TTL of {new}, not {old}"),
    "from": (Kind.ANSWER_CHANGED, "came from {new}, not from {old}"),
    "error": (Kind.ANSWER_CHANGED, "came back with {new}, not with {old}"),
}
_VALUE = "is {new}, not {old}"

SORTS = {
    "route": Sort("the route to {}", Kind.ROUTE_MISSING, Kind.ROUTE_ADDED, _ROUTE),
    "decision": Sort("the kernel's way to {}", Kind.ROUTE_MISSING, Kind.ROUTE_ADDED, _ROUTE),
    "BIRD route": Sort(
        "BIRD's route to {}",
        Kind.ROUTE_MISSING,
        Kind.ROUTE_ADDED,
        {**_ROUTE, "protocol": (Kind.NEXT_HOP_CHANGED, "was learned by {new}, not by {old}")},
    ),
    "neighbour": Sort(
        "the neighbour {}",
        Kind.NEIGHBOUR_MISSING,
        Kind.NEIGHBOUR_ADDED,
        {"mac": (Kind.ADDRESS_CHANGED, "has the Ethernet address {new}, not {old}")},
    ),
    "link": Sort("the link {}", Kind.LINK_MISSING, Kind.LINK_ADDED, _LINK),
    "rule": Sort("the rule {}", Kind.RULE_MISSING, Kind.RULE_ADDED, _RULE),
    "chain": Sort(
        "the chain {}",
        Kind.CHAIN_MISSING,
        Kind.CHAIN_ADDED,
        {"policy": (Kind.POLICY_CHANGED, "has the policy {new}, not {old}")},
    ),
    "element": Sort(
        "the element {}", Kind.ELEMENT_MISSING, Kind.ELEMENT_ADDED, {"value": (Kind.ELEMENT_CHANGED, _VALUE)}
    ),
    "session": Sort(
        "the session {}", Kind.SESSION_MISSING, Kind.SESSION_ADDED, {"state": (Kind.SESSION_STATE_CHANGED, _VALUE)}
    ),
    "answer": Sort("the answer to {}", Kind.ANSWER_MISSING, Kind.ANSWER_ADDED, _ANSWER),
    "count": Sort(
        "{}",
        Kind.ANSWER_MISSING,
        Kind.ANSWER_ADDED,
        {"received": (Kind.ANSWER_CHANGED, "was answered {new} times, not {old}")},
    ),
    "flow": Sort(
        "the flow {}",
        Kind.FLOW_MISSING,
        Kind.FLOW_ADDED,
        {
            "answers": (Kind.FLOW_CHANGED, "is answered by {new}, not by {old}"),
            "state": (Kind.FLOW_CHANGED, "is in the state {new}, not {old}"),
        },
    ),
    "virtual server": Sort(
        "the virtual server {}",
        Kind.SERVER_MISSING,
        Kind.SERVER_ADDED,
        {"scheduler": (Kind.SERVER_CHANGED, "is shared out by {new}, not by {old}")},
    ),
    "real server": Sort(
        "the real server {}",
        Kind.SERVER_MISSING,
        Kind.SERVER_ADDED,
        {
            "forward": (Kind.SERVER_CHANGED, "is reached by {new}, not by {old}"),
            "weight": (Kind.SERVER_CHANGED, "has a weight of {new}, not {old}"),
        },
    ),
    "socket": Sort("the socket {}", Kind.SOCKET_MISSING, Kind.SOCKET_ADDED, {}),
    "setting": Sort(
        "the setting {}", Kind.SETTING_MISSING, Kind.SETTING_ADDED, {"value": (Kind.SETTING_CHANGED, _VALUE)}
    ),
    "definition": Sort("the definition of {}", Kind.TEXT_CHANGED, Kind.TEXT_CHANGED, {}),
    "object": Sort("the row {}", Kind.OBJECT_MISSING, Kind.OBJECT_ADDED, {}),
}


def gone(node: str, command: str, entry: Entry, old: str) -> Finding:
    """A finding that something is missing."""
    sort = SORTS[entry.what]
    return Finding(sort.missing, node, command, entry.subject, old, "", f"{node}: {_noun(entry)} is missing")


def new(node: str, command: str, entry: Entry, text: str) -> Finding:
    """A finding that something was not there before."""
    sort = SORTS[entry.what]
    return Finding(sort.added, node, command, entry.subject, "", text, f"{node}: {_noun(entry)} was not there before")


def changed(node: str, command: str, old: Entry, now: Entry) -> list[Finding]:
    """One finding for each field of an entry that is another one now."""
    sort = SORTS[old.what]
    found = []
    for name in _differing(old, now):
        before, after = old.fields.get(name, ""), now.fields.get(name, "")
        kind, phrase = sort.fields.get(name, (Kind.OBJECT_CHANGED, f"has as {name} {{new}}, not {{old}}"))
        said = phrase.format(old=before or "none", new=after or "none")
        sentence = f"{node}: {_noun(old)} {said}"
        found.append(Finding(kind, node, command, _subject(old, name), before, after, sentence))
    return found


def _differing(old: Entry, now: Entry) -> list[str]:
    names = [name for name in {**old.fields, **now.fields} if old.fields.get(name, "") != now.fields.get(name, "")]
    # Another type of route has other fields; that they come or go follows from it.
    return ["type"] if "type" in names else names


def reordered(node: str, command: str, place: str, old: str, now: str) -> Finding:
    """A finding that the entries of a list stand in another order."""
    chain = place.split()[-1]
    sentence = f"{node}: the rules of {chain} stand in another order"
    return Finding(Kind.RULE_ORDER_CHANGED, node, command, chain, old, now, sentence)


def ended(node: str, command: str, old: int, now: int, words: str) -> Finding:
    """A finding that a command ended with another exit status."""
    line = _line(command)
    sentence = f"{node}: `{line}` exits {now}, not {old}" + (f": {words}" if words else "")
    return Finding(Kind.STATUS_CHANGED, node, command, line, str(old), str(now), sentence)


def text(node: str, command: str, old: str, now: str) -> Finding:
    """A finding that lines differ whose meaning nothing here knows."""
    line = _line(command)
    subject = (old or now).splitlines()[0]
    if sorted(old.splitlines()) == sorted(now.splitlines()):
        sentence = f"{node}: `{line}` prints the same lines in another order"
    elif old and now:
        sentence = f"{node}: `{line}` prints {_short(now)}, not {_short(old)}"
    else:
        sentence = f"{node}: `{line}` {'no longer' if old else 'now'} prints {_short(old or now)}"
    return Finding(Kind.TEXT_CHANGED, node, command, subject, old, now, sentence)


def cosmetic(node: str, command: str, old: str, now: str) -> Finding:
    """A finding that only spacing differs, or an order that means nothing."""
    line = _line(command)
    sentence = f"{node}: `{line}` prints the same in another order or spacing"
    return Finding(Kind.COSMETIC, node, command, line, old, now, sentence)


def asked(node: str, command: str, *, missing: bool) -> Finding:
    """A finding that the snippet puts other questions than before."""
    line = _line(command)
    kind = Kind.COMMAND_MISSING if missing else Kind.COMMAND_ADDED
    sentence = f"{node}: `{line}` {'is not run any more' if missing else 'was not run before'}"
    return Finding(kind, node, command, line, line if missing else "", "" if missing else line, sentence)


def _line(command: str) -> str:
    """A command on one line; of several commands the first."""
    return " ".join(command.replace("\\\n", " ").partition("\n")[0].split())


def _noun(entry: Entry) -> str:
    subject = entry.subject
    if entry.what in ("route", "decision", "BIRD route"):
        subject = subject.removesuffix("/32").removesuffix("/128")
    if entry.what == "rule":
        return f"the rule `{subject}`"
    return SORTS[entry.what].noun.format(subject)


def _subject(entry: Entry, field: str) -> str:
    """A rule that stayed is named by its chain, and by the chain it leads to."""
    if entry.what != "rule":
        return entry.subject
    if not entry.subject.startswith("-A "):
        return entry.subject.split(":")[0]
    words = _words(entry.subject)
    target = words[words.index("-j") + 1] if "-j" in words[:-1] else ""
    return f"{words[1]} -> {target}" if field == "probability" and target else words[1]


def _words(rule: str) -> list[str]:
    try:
        return shlex.split(rule)
    except ValueError:
        return rule.split()


def _short(lines: str) -> str:
    first, *others = lines.splitlines()
    cut = first if len(first) <= 90 else f"{first[:90]}..."
    return f"`{cut}`" + (f" and {len(others)} more lines" if len(others) > 1 else " and 1 more line" if others else "")
