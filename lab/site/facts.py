"""Names and addresses for figures, read from what the cluster was told and from what it printed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.spec import Spec

_ADDRESSES = "cni.projectcalico.org/ipAddrs"


@dataclass(frozen=True)
class PodFacts:
    """A pod of a scenario: its name, its node's name, and its address."""

    name: str
    node: str
    address: str


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
        pod = self._object(scenario, "Pod", name)
        (address,) = yaml.safe_load(pod["metadata"]["annotations"][_ADDRESSES])
        return PodFacts(name, pod["spec"]["nodeName"], address)

    def service(self, scenario: str, name: str) -> ServiceFacts:
        """A Service as its scenario asks for it.

        Raises:
            LabError: The scenario has no such Service.
        """
        spec = self._object(scenario, "Service", name)["spec"]
        (port,) = spec["ports"]
        return ServiceFacts(name, spec["clusterIP"], port["port"], port["targetPort"], port.get("nodePort", 0))

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
        path = self.snippets / "scenarios" / f"{scenario}.yaml"
        for item in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if item and item["kind"] == kind and item["metadata"]["name"] == name:
                return item
        raise LabError(f"figures: the scenario {scenario} has no {kind} {name!r}", hint=str(path))
