"""Which snippets must see a mutation: those whose kept transcript shows what it breaks."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lab import receipt
from lab.drift import shown
from lab.errors import LabError
from lab.mutations import Mutation
from lab.snippets import Snippet
from lab.spec import load_spec

MOST = 3
"""How many snippets are asked about one mutation; more would say the same again."""

# What is shown of a namespace inside a node is not what a mutation of the node breaks.
_ELSEWHERE = re.compile(r"\b(?:netns exec|nsenter|unshare|ip -n|ip netns)\b")


@dataclass(frozen=True)
class Plan:
    """A mutation with the snippets that must see it; all of these need the same scenario.

    Attributes:
        mutation: With its node and its placeholders filled in.
        witnesses: At least one.
    """

    mutation: Mutation
    witnesses: tuple[Snippet, ...]

    @property
    def scenario(self) -> str | None:
        """What the witnesses need."""
        return self.witnesses[0].scenario


def transcripts(snippets: Iterable[Snippet]) -> dict[Snippet, str]:
    """The kept transcripts of all snippets that have a whole one."""
    found = {}
    for snippet in snippets:
        try:
            found[snippet] = receipt.load(snippet)[0]
        except LabError:
            # `lab verify` and the tests of the pages say so; here it shows nothing.
            continue
    return found


def plan(mutation: Mutation, kept: Mapping[Snippet, str]) -> Plan | None:
    """The snippets that must see a mutation, and the node where it is done; None if nobody looks at it.

    Of all nodes, rules and scenarios it takes those that the most snippets show.
    A snippet that alters the cluster itself is a witness only where no other is.
    """
    groups: dict[tuple[str | None, bool, Mutation], list[Snippet]] = {}
    for snippet, transcript in sorted(kept.items(), key=lambda pair: pair[0].name):
        alone = bool(getattr(snippet, "alone", None))
        for filled in dict.fromkeys(_sights(mutation, transcript)):
            groups.setdefault((snippet.scenario, alone, filled), []).append(snippet)
    if not groups:
        return None

    def worth(key: tuple[str | None, bool, Mutation]) -> tuple[bool, int, bool, bool]:
        scenario, alone, filled = key
        return not alone, len(groups[key]), scenario is None, filled.node != "controlplane"

    best = max(groups, key=worth)
    return Plan(best[2], tuple(groups[best][:MOST]))


def _sights(mutation: Mutation, transcript: str) -> Iterator[Mutation]:
    """The mutation for each node, and each rule, of which a transcript shows what is broken."""
    sight, nodes = mutation.sight, {node.name for node in load_spec().nodes}
    for each in shown(transcript):
        # Neither in a pod, nor on a host of the sandbox.
        there = each.node in nodes and each.node == (mutation.place or each.node)
        if not there or _ELSEWHERE.search(each.command) or not re.search(sight.command, each.command):
            continue
        if not sight.what:
            yield replace(mutation, node=mutation.node or each.node)
        for entry in each.entries:
            told = not sight.field or entry.fields.get(sight.field)
            if told and entry.what == sight.what and re.fullmatch(sight.subject, entry.subject):
                yield replace(_filled(mutation, entry.subject), node=mutation.node or each.node)


def _filled(mutation: Mutation, subject: str) -> Mutation:
    """The mutation for this rule, or for this chain."""
    chain = subject.split()[1] if subject.startswith("-A ") else subject
    harm = tuple(command.replace("@CHAIN@", chain).replace("@RULE@", shlex.quote(subject)) for command in mutation.harm)
    pattern = mutation.subject.replace("@CHAIN@", chain).replace("@RULE@", re.escape(subject))
    return replace(mutation, harm=harm, subject=pattern)
