"""What a parser reads out of an output, and what a comparison says about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a difference means."""

    ROUTE_MISSING = "route missing"
    ROUTE_ADDED = "route added"
    NEXT_HOP_CHANGED = "next hop changed"
    DEVICE_CHANGED = "device changed"
    ROUTE_TYPE_CHANGED = "route type changed"
    RULE_MISSING = "rule missing"
    RULE_ADDED = "rule added"
    RULE_ORDER_CHANGED = "rule order changed"
    PROBABILITY_CHANGED = "probability changed"
    DNAT_TARGET_CHANGED = "DNAT target changed"
    CHAIN_MISSING = "chain missing"
    CHAIN_ADDED = "chain added"
    POLICY_CHANGED = "policy changed"
    ELEMENT_MISSING = "element missing"
    ELEMENT_ADDED = "element added"
    ELEMENT_CHANGED = "element changed"
    LINK_MISSING = "link missing"
    LINK_ADDED = "link added"
    LINK_STATE_CHANGED = "link state changed"
    MTU_CHANGED = "MTU changed"
    ADDRESS_CHANGED = "address changed"
    NEIGHBOUR_MISSING = "neighbour missing"
    NEIGHBOUR_ADDED = "neighbour added"
    SESSION_MISSING = "BGP session missing"
    SESSION_ADDED = "BGP session added"
    SESSION_STATE_CHANGED = "BGP session state changed"
    ANSWER_MISSING = "answer missing"
    ANSWER_ADDED = "answer added"
    ANSWER_CHANGED = "answer changed"
    FLOW_MISSING = "flow missing"
    FLOW_ADDED = "flow added"
    FLOW_CHANGED = "flow changed"
    SERVER_MISSING = "IPVS server missing"
    SERVER_ADDED = "IPVS server added"
    SERVER_CHANGED = "IPVS server changed"
    SOCKET_MISSING = "socket missing"
    SOCKET_ADDED = "socket added"
    SETTING_CHANGED = "setting changed"
    SETTING_MISSING = "setting missing"
    SETTING_ADDED = "setting added"
    OBJECT_MISSING = "object missing"
    OBJECT_ADDED = "object added"
    OBJECT_CHANGED = "object changed"
    STATUS_CHANGED = "exit status changed"
    COMMAND_MISSING = "command missing"
    COMMAND_ADDED = "command added"
    TEXT_CHANGED = "text changed"
    COSMETIC = "only cosmetic"
    CLAIM_BROKEN = "claim broken"


EFFECTS = frozenset(
    {
        Kind.ANSWER_MISSING,
        Kind.ANSWER_ADDED,
        Kind.ANSWER_CHANGED,
        Kind.FLOW_MISSING,
        Kind.FLOW_ADDED,
        Kind.FLOW_CHANGED,
        Kind.STATUS_CHANGED,
        Kind.COMMAND_MISSING,
        Kind.COMMAND_ADDED,
        Kind.TEXT_CHANGED,
        Kind.CLAIM_BROKEN,
    }
)
"""What follows from a change somewhere else: a lost ping is not itself a changed state."""


@dataclass(frozen=True)
class Finding:
    """One difference, as meaning.

    Attributes:
        kind: What it means.
        node: Where, as in the prompt: `node01`, or `node01/pod2` in a pod.
        command: The line whose output differs.
        subject: What differs: `172.16.196.148/32`, `tunl0`, `KUBE-SERVICES`.
        old: What it was; empty for what was added.
        new: What it is; empty for what is missing.
        sentence: All of it in words.
    """

    kind: Kind
    node: str
    command: str
    subject: str
    old: str
    new: str
    sentence: str


@dataclass(frozen=True)
class Entry:
    """One thing that an output shows: a route, a rule, a link.

    Attributes:
        what: The sort of thing; a name in `lab.drift.words`.
        subject: Which one, as a finding names it.
        fields: What is told about it and may change while it stays the same thing.
        lines: The numbers of the lines it was read from, counted from 0.
        key: What makes it the same thing in two outputs, where the subject is not enough.
        place: The list in which its position matters (a chain); empty where order means nothing.
        rest: Where lines cannot be told apart (JSON): everything that is told about it, as text.
    """

    what: str
    subject: str
    fields: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[int, ...] = ()
    key: str = ""
    place: str = ""
    rest: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Equal for the same thing in two outputs."""
        return self.what, self.place, self.key or self.subject
