"""Which snippets may run side by side: those whose scenarios have no name, address or port in common."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from lab import scenario
from lab.api import Object, title
from lab.errors import LabError
from lab.snippets import Snippet

_ADDRESSES = "cni.projectcalico.org/ipAddrs"


@dataclass(frozen=True)
class Group:
    """The snippets of one scenario, in the order in which they run while it stands."""

    scenario: str | None
    snippets: tuple[Snippet, ...]

    @cached_property
    def taken(self) -> frozenset[str]:
        """What the scenario takes for itself; nothing for one that cannot be read, which fails when it is applied."""
        try:
            return frozenset(claims(self.scenario) if self.scenario else ())
        except LabError:
            return frozenset()

    def excludes(self, other: "Group") -> bool:
        """Whether the two must not stand at the same time."""
        return bool(self.taken & other.taken)


def groups(snippets: Iterable[Snippet]) -> list[Group]:
    """One group for each scenario; those without one come first."""
    ordered = sorted(snippets, key=lambda snippet: (snippet.scenario or "", snippet.name))
    return [Group(name, tuple(members)) for name, members in groupby(ordered, key=lambda snippet: snippet.scenario)]


def claims(name: str) -> Mapping[str, str]:
    """What a scenario takes for itself, each with the object that takes it.

    Raises:
        LabError: The scenario cannot be read, or two of its objects take the same.
    """
    found: dict[str, str] = {}
    for item in scenario.load(name).objects:
        for claim in _claims(item):
            if claim in found:
                raise LabError(f"scenario {name}: {title(item)} and {found[claim]} both take the {claim}")
            found[claim] = title(item)
    return found


def _claims(item: Object) -> Iterator[str]:
    metadata, spec = item["metadata"], item.get("spec") or {}
    namespace = metadata.get("namespace", "default")
    yield f"name {item['kind']} {namespace}/{metadata['name']}"
    template = spec.get("template") or {}
    for part in (metadata, template.get("metadata") or {}):
        yield from (f"address {address}" for address in _listed(part.get("annotations", {}).get(_ADDRESSES)))
    for container in (template.get("spec") or spec).get("containers") or []:
        yield from (f"host port {port['hostPort']}" for port in container.get("ports") or [] if "hostPort" in port)
    if item["kind"] == "Service":
        fixed = {spec.get("clusterIP"), *(spec.get("clusterIPs") or [])} - {None, "", "None"}
        outer = {*(spec.get("externalIPs") or []), spec.get("loadBalancerIP")} - {None}
        yield from (f"ClusterIP {address}" for address in sorted(fixed))
        yield from (f"address {address}" for address in sorted(outer))
        ports = {port["nodePort"] for port in spec.get("ports") or [] if "nodePort" in port}
        ports |= {spec["healthCheckNodePort"]} if "healthCheckNodePort" in spec else set()
        yield from (f"node port {port}" for port in sorted(ports))


def _listed(value: Any) -> list[str]:
    import yaml

    return list(yaml.safe_load(value)) if value else []


def clashes(names: Sequence[str]) -> list[str]:
    """Addresses and ports that different objects of several scenarios take; empty when each has its own.

    The same object in two scenarios is no clash: they only never stand at the same time.
    """
    taken: dict[str, tuple[str, str]] = {}
    faults = []
    for name in names:
        for claim, owner in claims(name).items():
            first, before = taken.setdefault(claim, (name, owner))
            if before != owner:
                faults.append(f"{claim}: {before} in scenario {first}, {owner} in scenario {name}")
    return faults
