"""A second cluster: the objects of the book's scenarios, with other names and addresses everywhere."""

import json
from dataclasses import replace
from functools import cache

from lab import receipt, scenario
from lab.check import identity
from lab.check.identity import World
from lab.snippets import discover
from lab.spec import Spec, load_spec

# Written by hand: nothing of what is tested helps to make the second cluster.
# The order of the addresses is another one, too: node02's pods come after node01's.
OTHER = (
    ("172.16.196.", "10.244.7."),
    ("172.16.140.", "10.244.9."),
    ("172.16.49.", "10.244.3."),
    ("172.16.0.0/16", "10.244.0.0/16"),
    ("172-16-196-", "10-244-7-"),
    ("172-16-140-", "10-244-9-"),
    ("172-16-49-", "10-244-3-"),
    ("192.168.56.", "10.1.2."),
    ("192_168_56_", "10_1_2_"),
    ("10.96.0.", "10.100.0."),
    ("node01", "blue"),
    ("node02", "red"),
    ("controlplane", "boss"),
)


def moved(text: str) -> str:
    """A text of the book as the second cluster has it, but for chains: their names are computed."""
    for old, new in OTHER:
        text = text.replace(old, new)
    return text


def second_spec() -> Spec:
    """The second cluster's own description."""
    spec = load_spec()
    nodes = tuple(replace(node, name=moved(node.name), address=moved(node.address)) for node in spec.nodes)
    networks = replace(
        spec.networks,
        nodes=moved(spec.networks.nodes),
        gateway=moved(spec.networks.gateway),
        pods=moved(spec.networks.pods),
        services="10.100.0.0/16",
        dns=moved(spec.networks.dns),
    )
    return replace(spec, nodes=nodes, networks=networks)


@cache
def book_world(name: str | None) -> World:
    """The book's names while a scenario stands; read once for all tests."""
    return identity.of_book([name])


@cache
def second_world(name: str | None) -> World:
    """The names of the second cluster while a scenario stands in it."""
    objects = json.loads(moved(json.dumps([*scenario.load(name).objects]))) if name else []
    blocks = [(moved(node), moved(cidr)) for node, cidr in identity.blocks_of_book()]
    return identity.world(second_spec(), objects, blocks)


SNIPPETS = {snippet.name: snippet for snippet in discover()}
"""All snippets, read once for all tests."""

OUTS = {name: receipt.load(snippet)[0] for name, snippet in SNIPPETS.items()}
"""Their committed transcripts."""
