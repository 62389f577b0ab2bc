"""`nft -j list`: the same entries as from `nft list`, out of JSON."""

import json
from collections.abc import Sequence
from typing import Any

from lab.drift.entry import Entry
from lab.drift.ip_route import sorted_json

# Handles are given in the order of creation; elements are entries of their own.
_NOISE = ("handle", "elem")


def parse_json(lines: Sequence[str]) -> list[Entry]:
    """Chains, rules and elements; none for what is not JSON, such as an error message."""
    numbers = tuple(range(len(lines)))
    try:
        items = json.loads("\n".join(lines))["nftables"]
        pairs = [pair for item in items for pair in item.items()]
        return [entry for what, body in pairs for entry in _read(what, body, numbers)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _read(what: str, body: dict[str, Any], numbers: tuple[int, ...]) -> list[Entry]:
    if what in _READERS:
        return _READERS[what](body, numbers)
    found = [Entry("definition", f"{what} {body.get('name', '')}", {}, numbers, rest=sorted_json(body, noise=_NOISE))]
    return found + _elements(body, numbers) if "elem" in body else found


def _table(body: dict[str, Any]) -> str:
    return f"{body['family']} {body['table']}"


def _chain(body: dict[str, Any], numbers: tuple[int, ...]) -> list[Entry]:
    fields = {"policy": str(body.get("policy", ""))}
    key, rest = f"{_table(body)} {body['name']}", sorted_json(body, noise=_NOISE)
    return [Entry("chain", body["name"], fields, numbers, key, rest=rest)]


def _rule(body: dict[str, Any], numbers: tuple[int, ...]) -> list[Entry]:
    words, target = [], ""
    for expression in body.get("expr", []):
        if "counter" in expression:
            continue
        to = expression.get("dnat")
        if isinstance(to, dict):
            target = f"{to.get('addr')}:{to['port']}" if "port" in to else str(to.get("addr"))
            expression = {"dnat": None}
        words.append(json.dumps(expression, sort_keys=True))
    place = f"{_table(body)} {body['chain']}"
    text = f"{body['chain']}: {' '.join(words)}"
    # Counters are noise, so what identifies the rule is all there is to it.
    rest = f"{text} {target} {body.get('comment', '')}"
    return [Entry("rule", text, {"to": target}, numbers, f"{place} {' '.join(words)}", place, rest=rest)]


def _elements(body: dict[str, Any], numbers: tuple[int, ...]) -> list[Entry]:
    found = []
    owner = f"{_table(body)} {body['name']}"
    for element in body.get("elem", []):
        pair = element if isinstance(element, list) and len(element) == 2 else [element, ""]
        key, value = (part if isinstance(part, str) else json.dumps(part, sort_keys=True) for part in pair)
        subject = f"{body['name']}: {key}"
        found.append(Entry("element", subject, {"value": value}, numbers, f"{owner} {key}", rest=key + value))
    return found


_READERS = {"chain": _chain, "rule": _rule}
