"""Names and addresses for figures, read from what the cluster was told and from what it printed."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from lab.check.identity import cable
from lab.errors import LabError
from lab.spec import Spec

_ADDRESSES = "cni.projectcalico.org/ipAddrs"


@dataclass(frozen=True)
class PodFacts:
    """A pod of a scenario: its name, its node's name, its address, and the node's end of its cable."""

    name: str
    node: str
    address: str
    device: str


@dataclass(frozen=True)
class ServiceFacts:
    """A Service of a scenario; `node_port` is 0 for one that has none."""

    name: str
    address: str
    port: int
    target_port: int
    node_port: int

    @property
    def place(self) -> str:
        """Address and port, as a client writes them."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Facts:
    """What figures may show: the cluster's description, and scenarios and captures below `snippets`."""

    spec: Spec
    snippets: Path

    def node(self, name: str) -> str:
        """The address of a node.

        Raises:
            LabError: cluster.yaml has no such node.
        """
        for node in self.spec.nodes:
            if node.name == name:
                return node.address
        raise LabError(f"figures: there is no node {name!r}", hint="lab/cluster.yaml has the nodes")

    def pod(self, scenario: str, name: str) -> PodFacts:
        """A pod as its scenario asks for it.

        Raises:
            LabError: The scenario has no such pod.
        """
        return _pod(self._object(scenario, "Pod", name))

    def pods(self, scenario: str) -> list[PodFacts]:
        """All pods of a scenario, in the order of its file."""
        return [_pod(item) for item in self._objects(scenario, "Pod")]

    def service(self, scenario: str, name: str) -> ServiceFacts:
        """A Service as its scenario asks for it.

        Raises:
            LabError: The scenario has no such Service.
        """
        return _service(self._object(scenario, "Service", name))

    def services(self, scenario: str) -> list[ServiceFacts]:
        """All Services of a scenario, in the order of its file."""
        return [_service(item) for item in self._objects(scenario, "Service")]

    def block(self, node: str) -> IPv4Network:
        """The addresses that a node has for its pods.

        Raises:
            LabError: The capture that lists them does not have the node.
        """
        return IPv4Network(self.printed("pod_to_pod/block_affinities", rf"^{re.escape(node)} +(\S+) +confirmed$")[1])

    def tunnel(self, node: str) -> str:
        """The address of a node's tunnel device: a pod sees it as the client of a Service at that node.

        Raises:
            LabError: The capture does not ask at this node.
        """
        asked = rf"^\w+\$ curl -s http://{re.escape(self.node(node))}:\d+/clientip .*\n([\d.]+)$"
        return self.printed("node_port/source_cluster", asked)[1]

    def printed(self, snippet: str, pattern: str) -> re.Match[str]:
        """The one place of a capture that a pattern fits; `^` and `$` are the ends of a line.

        Raises:
            LabError: The capture does not have it, or has several that differ.
        """
        found = self.every(snippet, pattern)
        if len({match[0] for match in found}) != 1:
            raise LabError(
                f"figures: {snippet}.out has {len(found)} places that fit {pattern!r}, not one",
                hint="the snippet prints something else now: change the figure that reads it",
            )
        return found[0]

    def every(self, snippet: str, pattern: str) -> list[re.Match[str]]:
        """All places of a capture that a pattern fits, in their order."""
        text = (self.snippets / f"{snippet}.out").read_text(encoding="utf-8")
        return list(re.finditer(pattern, text, re.MULTILINE))

    def _object(self, scenario: str, kind: str, name: str) -> Any:
        for item in self._objects(scenario, kind):
            if item["metadata"]["name"] == name:
                return item
        path = self.snippets / "scenarios" / f"{scenario}.yaml"
        raise LabError(f"figures: the scenario {scenario} has no {kind} {name!r}", hint=str(path))

    def _objects(self, scenario: str, kind: str) -> list[Any]:
        text = (self.snippets / "scenarios" / f"{scenario}.yaml").read_text(encoding="utf-8")
        return [item for item in _parsed(text) if item and item["kind"] == kind]


# The figures and the maps of all chapters ask for the same few scenarios.
@lru_cache
def _parsed(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def _pod(pod: Any) -> PodFacts:
    meta = pod["metadata"]
    (address,) = yaml.safe_load(meta["annotations"][_ADDRESSES])
    return PodFacts(meta["name"], pod["spec"]["nodeName"], address, cable(meta["namespace"], meta["name"]))


def _service(service: Any) -> ServiceFacts:
    spec = service["spec"]
    (port,) = spec["ports"]
    name = service["metadata"]["name"]
    return ServiceFacts(name, spec["clusterIP"], port["port"], port["targetPort"], port.get("nodePort", 0))
