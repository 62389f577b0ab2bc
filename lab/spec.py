"""`cluster.yaml`, read into frozen dataclasses; every fault is named with its line."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

CLUSTER_YAML = Path(__file__).with_name("cluster.yaml")


@dataclass(frozen=True)
class NodeSpec:
    """One node: `role` is control-plane or worker, `memory` is in MiB."""

    name: str
    role: str
    address: str
    mac: str
    memory: int


@dataclass(frozen=True)
class Networks:
    """The cluster's networks; `block_size` is the prefix length of a Calico block."""

    nodes: str
    gateway: str
    pods: str
    block_size: int
    services: str
    dns: str
    domain: str

    @property
    def node_prefix(self) -> int:
        """Prefix length of the node network."""
        return ipaddress.ip_network(self.nodes).prefixlen


@dataclass(frozen=True)
class Versions:
    """Releases of the components that are built from source."""

    kubernetes: str
    etcd: str
    coredns: str
    calico: str
    cni_plugins: str


@dataclass(frozen=True)
class Debian:
    """Where the nodes' packages come from."""

    suite: str
    mirror: str
    kernel_sources: tuple[str, ...]


@dataclass(frozen=True)
class Spec:
    """The whole description of the cluster."""

    name: str
    networks: Networks
    nodes: tuple[NodeSpec, ...]
    versions: Versions
    debian: Debian

    @property
    def control_plane(self) -> NodeSpec:
        """The node that runs the API server."""
        return next(node for node in self.nodes if node.role == "control-plane")

    @property
    def workers(self) -> tuple[NodeSpec, ...]:
        """The nodes that join."""
        return tuple(node for node in self.nodes if node.role == "worker")

    def node(self, name: str) -> NodeSpec:
        """One node by name.

        Raises:
            LabError: There is no node of that name; says which there are.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise LabError(f"there is no node {name!r}", hint=f"the nodes are {names}")

    def with_workers(self, count: int) -> "Spec":
        """The same cluster with this many workers.

        Workers beyond the described ones go on counting from the last one: name, address and MAC.

        Raises:
            LabError: Fewer than one, or more than the node network holds.
        """
        if not 1 <= count <= 9:
            raise LabError(f"{count} workers are not possible", hint="take 1 to 9, for example: lab up --workers 3")
        workers = list(self.workers[:count])
        while len(workers) < count:
            workers.append(_next_worker(workers[-1]))
        spec = Spec(self.name, self.networks, (self.control_plane, *workers), self.versions, self.debian)
        return spec


def _next_worker(last: NodeSpec) -> NodeSpec:
    stem, number = re.fullmatch(r"(.*?)(\d+)", last.name).groups()  # type: ignore[union-attr]  # checked on reading
    name = f"{stem}{int(number) + 1:0{len(number)}d}"
    address = str(ipaddress.ip_address(last.address) + 1)
    head, tail = last.mac.rsplit(":", 1)
    return NodeSpec(name, last.role, address, f"{head}:{int(tail, 16) + 1:02x}", last.memory)


@cache
def load_spec(path: Path = CLUSTER_YAML) -> Spec:
    """Read and check the description of the cluster.

    Raises:
        LabError: The file is malformed; all faults at once, each with its line and field.
    """
    return _Reader(path).spec()


class _Reader:
    """Walks the YAML tree beside its marks, so that a fault can name its line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[str] = []

    def spec(self) -> Spec:
        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise LabError(f"{self.path.name}: {error.strerror}", detail=str(self.path)) from None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            raise LabError(
                f"{self.path.name}, line {line}: not YAML: {error.problem}",
                hint="indentation is two spaces; compare with `git diff lab/cluster.yaml`",
            ) from None
        top = self._mapping(root, "", {"name", "networks", "nodes", "versions", "debian"})
        spec = None
        if not self.faults:
            spec = Spec(
                name=self._text(top["name"], "name"),
                networks=self._networks(top["networks"]),
                nodes=self._nodes(top["nodes"]),
                versions=self._versions(top["versions"]),
                debian=self._debian(top["debian"]),
            )
        if self.faults or spec is None:
            count = len(self.faults)
            raise LabError(
                f"{self.path.name} has {count} fault{'s' if count > 1 else ''}",
                detail="\n".join(self.faults),
                hint="the shipped file is the reference: git diff lab/cluster.yaml",
            )
        return spec

    def _fault(self, node: yaml.Node, field: str, text: str) -> None:
        self.faults.append(f"line {node.start_mark.line + 1}: {field or 'the file'}: {text}")

    def _mapping(self, node: yaml.Node | None, field: str, keys: set[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            if node is None:
                self.faults.append(f"line 1: {field or 'the file'}: is empty")
            else:
                self._fault(node, field, "must be a mapping of names to values")
            return {}
        found = {str(key.value): value for key, value in node.value}
        prefix = f"{field}." if field else ""
        for key, _ in node.value:
            if key.value not in keys:
                self._fault(key, f"{prefix}{key.value}", f"is not a field; the fields are {', '.join(sorted(keys))}")
        for missing in sorted(keys - found.keys()):
            self._fault(node, f"{prefix}{missing}", "is missing")
        return found

    def _text(self, node: yaml.Node, field: str, check: Callable[[str], Any] | None = None) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, field, "must be one value")
            return ""
        if check is not None:
            try:
                if check(node.value) is False:
                    raise ValueError("has a value that is not allowed")
            except ValueError as error:
                self._fault(node, field, f"{node.value!r}: {error}")
        return str(node.value)

    def _number(self, node: yaml.Node, field: str, low: int, high: int) -> int:
        text = self._text(node, field)
        if not text.isdigit() or not low <= int(text) <= high:
            self._fault(node, field, f"{text!r} must be a whole number from {low} to {high}")
            return low
        return int(text)

    def _networks(self, node: yaml.Node) -> Networks:
        keys = {"nodes", "gateway", "pods", "block_size", "services", "dns", "domain"}
        values = self._mapping(node, "networks", keys)
        if keys - values.keys():
            return Networks("", "", "", 26, "", "", "")
        net = {k: self._text(values[k], f"networks.{k}", ipaddress.ip_network) for k in ("nodes", "pods", "services")}
        host = {k: self._text(values[k], f"networks.{k}", ipaddress.ip_address) for k in ("gateway", "dns")}
        return Networks(
            nodes=net["nodes"],
            gateway=host["gateway"],
            pods=net["pods"],
            block_size=self._number(values["block_size"], "networks.block_size", 20, 32),
            services=net["services"],
            dns=host["dns"],
            domain=self._text(values["domain"], "networks.domain"),
        )

    def _nodes(self, node: yaml.Node) -> tuple[NodeSpec, ...]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fault(node, "nodes", "must be a list with at least a control plane")
            return ()
        nodes = [self._node(item, f"nodes[{number}]") for number, item in enumerate(node.value)]
        if sum(each.role == "control-plane" for each in nodes) != 1:
            self._fault(node, "nodes", "exactly one node must have the role control-plane")
        for field in ("name", "address", "mac"):
            values = [getattr(each, field) for each in nodes]
            for value in {v for v in values if v and values.count(v) > 1}:
                self._fault(node, f"nodes.{field}", f"{value!r} is given to two nodes")
        return tuple(nodes)

    def _node(self, node: yaml.Node, field: str) -> NodeSpec:
        keys = {"name", "role", "address", "mac", "memory"}
        values = self._mapping(node, field, keys)
        if keys - values.keys():
            return NodeSpec("", "", "", "", 0)
        return NodeSpec(
            name=self._text(values["name"], f"{field}.name", _check_name),
            role=self._text(values["role"], f"{field}.role", _check_role),
            address=self._text(values["address"], f"{field}.address", ipaddress.ip_address),
            mac=self._text(values["mac"], f"{field}.mac", _check_mac),
            memory=self._number(values["memory"], f"{field}.memory", 512, 65536),
        )

    def _versions(self, node: yaml.Node) -> Versions:
        keys = set(Versions.__dataclass_fields__)
        values = self._mapping(node, "versions", keys)
        if keys - values.keys():
            return Versions("", "", "", "", "")
        return Versions(**{key: self._text(values[key], f"versions.{key}", _check_version) for key in keys})

    def _debian(self, node: yaml.Node) -> Debian:
        keys = {"suite", "mirror", "kernel_sources"}
        values = self._mapping(node, "debian", keys)
        if keys - values.keys():
            return Debian("", "", ())
        sources = values["kernel_sources"]
        if not isinstance(sources, yaml.SequenceNode) or not sources.value:
            self._fault(sources, "debian.kernel_sources", "must be a list of package/suite")
            return Debian("", "", ())
        names = tuple(self._text(item, "debian.kernel_sources", _check_source) for item in sources.value)
        return Debian(self._text(values["suite"], "debian.suite"), self._text(values["mirror"], "debian.mirror"), names)


def _check_name(value: str) -> None:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", value):
        raise ValueError("a node's name is lower-case letters, digits and dashes")


def _check_role(value: str) -> None:
    if value not in ("control-plane", "worker"):
        raise ValueError("the roles are control-plane and worker")


def _check_mac(value: str) -> None:
    if not re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", value):
        raise ValueError("a MAC is six pairs of lower-case hex digits")


def _check_version(value: str) -> None:
    if not re.fullmatch(r"v\d+\.\d+\.\d+", value):
        raise ValueError("a version looks like v1.2.3")


def _check_source(value: str) -> None:
    if not re.fullmatch(r"linux-source-[\d.]+/[a-z-]+", value):
        raise ValueError("a kernel source looks like linux-source-6.12/trixie")
