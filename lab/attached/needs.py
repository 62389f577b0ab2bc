"""What a snippet needs of a cluster, what yours lacks of it, and so which snippets are skipped, and why."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.snippets import Snippet

TOOLS = (
    "birdcl", "bridge", "conntrack", "first-block", "ipset", "ipvsadm", "iptables", "iptables-save", "jq", "lsns",
    "nft", "pgrep", "sysctl", "tcpdump",
)  # fmt: skip
"""Programs that snippets call on nodes only; what they also call in pods is asked of every node: `EVERY`."""
EVERY = ("curl", "dig", "ip", "nc", "ping", "python3", "ss", "timeout")

FEATURES = {
    "calico": "Calico with a block of 26 bits on each node",
    "ipip": "a Calico pool with IPIP, always",
    "three": "three nodes and no more",
    "kube-proxy": "kube-proxy in iptables mode",
    "eth0": "nodes whose own device is eth0",
    "addresses": "the book's own addresses",
    "names": "the namespace `default` for scenarios (lab up --namespace default)",
    "no-policies": "no NetworkPolicy but its own",
    "kubectl": "kubectl on the node that plays controlplane",
    "mine": "a cluster that is yours alone (lab up --mine)",
}
"""What a cluster can have, in words that follow `it needs`."""

_FILE = Path(__file__).with_name("needs.yaml")
# Nothing but texts is looked at: a variable's name is no program.
_WORD = re.compile(r"(?<![\w./-])(?:[\w/]*/)?([a-z][\w-]*)")


@cache
def table() -> dict[str, Any]:
    """`needs.yaml`."""
    content: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return content


def of(snippet: Snippet) -> list[str]:
    """The features and programs that a snippet needs, each once."""
    known, text = table(), snippet.path.read_text(encoding="utf-8")
    found = [*known["chapters"].get(snippet.chapter, []), *known["snippets"].get(snippet.name, [])]
    if snippet.alone and snippet.name not in known["harmless"]:
        found.append("mine")
    if "kubectl" in text:
        found.append("kubectl")
    words = set(_WORD.findall(text))
    programs = [f"program {tool}" for tool in TOOLS if tool in words]
    return list(dict.fromkeys([*found, *programs]))


def reason(snippet: Snippet, lacks: Mapping[str, str]) -> str:
    """Why a snippet is skipped on a cluster; empty when it can run.

    Args:
        snippet: The snippet.
        lacks: What the cluster lacks, each with what it has in its place.
    """
    if snippet.chapter in _SANDBOXED:
        return lacks.get("sandbox", "")
    for need in ["every", *of(snippet)]:
        if need in lacks:
            what = FEATURES.get(need) or ("" if need == "every" else f"the {need} on nodes")
            return "; ".join(filter(None, [f"it needs {what}" if what else "", lacks[need]]))
    return ""


_SANDBOXED = ("iptables", "namespaces")
"""Chapters that build their own network in a sandbox; what they call is there, not on the node."""


def told(skipped: Mapping[str, str], total: int) -> list[str]:
    """Lines that say which snippets are skipped, gathered by reason."""
    if not skipped:
        return []
    by_reason: dict[str, list[str]] = {}
    for name, why in skipped.items():
        by_reason.setdefault(why, []).append(name)
    lines = [f"{len(skipped)} of {total} snippets are skipped on this cluster:"]
    for why, names in by_reason.items():
        lines += [f"  {why}:", f"    {', '.join(names)}"]
    return lines


def skipped(snippets: Iterable[Snippet], lacks: Mapping[str, str]) -> dict[str, str]:
    """The snippets that cannot run on a cluster, each with the reason."""
    return {snippet.name: why for snippet in snippets if (why := reason(snippet, lacks))}
