"""Who has which name: read from the objects of a cluster, so that a renaming is known and not guessed.

The book's objects stand in `cluster.yaml`, in the scenarios and in one capture; a
reader's are asked of her API server. What is computed from them is computed here,
in the way that snippets of the book show.
"""

import ipaddress
import re
from base64 import b32encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any

from lab import paths, receipt, scenario
from lab.api import KubernetesApi, Object
from lab.carriers import Carrier
from lab.check.renaming import ADDRESS, CABLE, CHAIN, Renaming
from lab.drift import shown
from lab.errors import LabError
from lab.snippets import read
from lab.spec import Spec, load_spec

BLOCKS = "pod_to_pod/block_affinities"
"""The snippet whose capture tells which block of addresses each of the book's nodes has."""

_TARGET = re.compile(
    r"-A (?P<chain>KUBE-SEP-\w+) -p (?P<protocol>\w+) .*--comment \"?(?P<name>[^\s\"]+)\"? .*"
    r"--to-destination (?P<address>[\d.]+):(?P<port>\d+)"
)


@dataclass(frozen=True)
class World:
    """The names of one cluster.

    Attributes:
        owners: What has a name, in words that are equal in every cluster, and the name.
        networks: What a network is, in such words, and its range; blocks of addresses are networks, too.
        cables: The `cali…` name of every pod, also of those that the book does not know.
        chains: The chains of every Service and endpoint, likewise.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    cables: frozenset[str] = frozenset()
    chains: frozenset[str] = frozenset()

    def network_of(self, address: str) -> str:
        """The smallest network that holds an address or a network; empty if none does."""
        try:
            inner = ipaddress.IPv4Network(address, strict=False)
        except ValueError:
            return ""
        ranges = {name: ipaddress.IPv4Network(text) for name, text in self.networks.items()}
        around = [name for name, outer in ranges.items() if inner.subnet_of(outer)]
        return max(around, key=lambda name: ranges[name].prefixlen, default="")


def known(book: World, yours: World) -> Renaming:
    """What the objects that both clusters have are called in each."""
    ranges = {text: yours.networks[name] for name, text in book.networks.items() if name in yours.networks}
    names = {text: yours.owners[name] for name, text in book.owners.items() if name in yours.owners}
    return Renaming({**ranges, **names})


def with_endpoints(names: Renaming, transcript: str) -> Renaming:
    """The same names, and the chains of endpoints that only the rules of the book's transcript tell.

    A snippet may make a Service of its own, which stands in nobody's list of objects. The rule itself
    then says what its chain's name is computed from.
    """
    found = {
        match["chain"]: chain(
            "SEP", match["name"], match["protocol"], f"{names.apply(match['address'])}:{match['port']}"
        )
        for match in _TARGET.finditer(transcript)
        if match["chain"] == chain("SEP", match["name"], match["protocol"], f"{match['address']}:{match['port']}")
    }
    return Renaming({**found, **names.names})


def allows(book: World, yours: World, sort: str, old: str, new: str) -> bool:
    """Whether a name that no common object explains can be another one in your cluster.

    An address must stay in its network, which is to say in its block: otherwise other routes lead to it.
    A link must be some pod's, and a chain some Service's, as their names are computed. All else is a constant.
    """
    if sort == ADDRESS:
        place = book.network_of(old)
        return bool(place) and yours.network_of(new) == place
    if sort == CABLE:
        return old not in book.cables and new in yours.cables
    return sort == CHAIN and old not in book.chains and new in yours.chains


# --- names that are computed ------------------------------------------------------


def cable(namespace: str, pod: str) -> str:
    """The node's end of a pod's cable, as Calico names it (see pod_to_pod/interface_name)."""
    return "cali" + sha1(f"{namespace}.{pod}".encode()).hexdigest()[:11]


def chain(kind: str, *parts: str) -> str:
    """A chain of kube-proxy, such as `KUBE-SVC-…` (see cluster_ip/chain_names)."""
    return f"KUBE-{kind}-" + b32encode(sha256("".join(parts).encode()).digest()).decode()[:16]


# --- the two worlds ----------------------------------------------------------------


def of_book(scenarios: Iterable[str | None]) -> World:
    """The book's names, as far as these scenarios need them.

    Raises:
        LabError: A scenario cannot be read.
    """
    objects = [item for name in dict.fromkeys(scenarios) if name for item in scenario.load(name).objects]
    return world(load_spec(), objects, blocks_of_book())


def of_cluster(carrier: Carrier) -> World:
    """The names of the running cluster.

    Raises:
        LabError: Its API server does not answer.
    """
    api = KubernetesApi(carrier)
    try:
        objects = [
            {"kind": kind, **item}
            for version, kind in (("v1", "Pod"), ("v1", "Service"), ("discovery.k8s.io/v1", "EndpointSlice"))
            for item in api.find(version, kind, "")
        ]
        try:
            affinities = api.find("crd.projectcalico.org/v1", "BlockAffinity", "")
        except LabError:
            # Another CNI plugin has no blocks, and its clusters are compared all the same.
            affinities = []
    finally:
        api.close()
    blocks = [(item["spec"]["node"], item["spec"]["cidr"]) for item in affinities]
    return world(getattr(carrier, "spec", None) or load_spec(), objects, blocks)


def blocks_of_book() -> list[tuple[str, str]]:
    """Each of the book's nodes with its block of addresses; none before that was captured."""
    try:
        transcript, _ = receipt.load(read(paths.SNIPPETS / f"{BLOCKS}.py"))
    except LabError:
        return []
    entries = [entry for each in shown(transcript) for entry in each.entries if entry.fields.get("CIDR")]
    return [(entry.subject, entry.fields["CIDR"]) for entry in entries]


def world(spec: Spec, objects: list[Object], blocks: list[tuple[str, str]]) -> World:
    """The names that follow from a description, from objects, and from the block of each node."""
    networks = {
        "the nodes' network": spec.networks.nodes,
        "the pods' network": spec.networks.pods,
        "the Services' network": spec.networks.services,
    }
    owners = {"the nodes' gateway": spec.networks.gateway, "the cluster's name server": spec.networks.dns}
    counts = {name: sum(node == name for node, _ in blocks) for name, _ in blocks}
    for number, node in enumerate((spec.control_plane, *spec.workers)):
        who = f"worker {number}" if number else "the control plane"
        owners |= {f"{who}: name": node.name, f"{who}: address": node.address, f"{who}: MAC": node.mac}
        # A node with several blocks has none that is the book's one.
        networks |= {f"{who}: block": cidr for name, cidr in blocks if name == node.name and counts[name] == 1}
    pods = [item for item in objects if item["kind"] == "Pod" and _has_own_address(item)]
    cables = {_title(pod): cable(*_place(pod)) for pod in pods}
    chains = dict(_chains(objects))
    owners |= {f"pod {name}: address": address for pod in pods for name, address in [(_title(pod), _address(pod))]}
    owners |= {f"pod {name}: link": link for name, link in cables.items()}
    for service in (item for item in objects if item["kind"] == "Service"):
        owners[f"Service {_title(service)}: address"] = str(service["spec"].get("clusterIP", ""))
        for port in service["spec"].get("ports") or []:
            owners[f"Service {_title(service)}: node port of {port['port']}"] = str(port.get("nodePort", ""))
    owners = {name: text for name, text in (owners | chains).items() if text not in ("", "None", "null")}
    return World(owners, networks, frozenset(cables.values()), frozenset(chains.values()))


def _chains(objects: list[Object]) -> Iterator[tuple[str, str]]:
    """The chains of every Service, each with what it is for."""
    for service in (item for item in objects if item["kind"] == "Service"):
        for port in service["spec"].get("ports") or []:
            name = _title(service) + (f":{port['name']}" if port.get("name") else "")
            protocol = str(port.get("protocol", "TCP")).lower()
            for kind in ("SVC", "SVL", "EXT", "FW"):
                yield f"Service {name}: chain {kind}", chain(kind, name, protocol)
            for who, target in _endpoints(service, port, objects):
                yield f"Service {name}: endpoint {who}", chain("SEP", name, protocol, target)


def _endpoints(service: Object, port: Object, objects: list[Object]) -> Iterator[tuple[str, str]]:
    """Who is behind a port of a Service, each with address and port; a pod whether it is ready or not."""
    selector = service["spec"].get("selector") or {}
    number = port.get("targetPort") or port["port"]
    for item in objects:
        if item["metadata"].get("namespace") != service["metadata"].get("namespace"):
            continue
        labels = item["metadata"].get("labels") or {}
        if item["kind"] == "Pod" and selector and selector.items() <= labels.items() and _address(item):
            yield f"pod {item['metadata']['name']}", f"{_address(item)}:{number}"
        named = labels.get("kubernetes.io/service-name") == service["metadata"]["name"]
        if item["kind"] == "EndpointSlice" and named and not selector:
            addresses = [address for endpoint in item.get("endpoints") or [] for address in endpoint["addresses"]]
            yield from ((str(place), f"{address}:{number}") for place, address in enumerate(sorted(addresses), 1))


def _has_own_address(pod: Object) -> bool:
    """Whether its address is its own: not its node's, and not one that it had before it ended."""
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not ended and not pod["spec"].get("hostNetwork")


def _place(item: Object) -> tuple[str, str]:
    return str(item["metadata"].get("namespace", "default")), str(item["metadata"]["name"])


def _title(item: Object) -> str:
    return "/".join(_place(item))


def _address(pod: Object) -> str:
    """A pod's address: the one it has, or in a scenario the one it asks for; empty for none."""
    has: dict[str, Any] = pod.get("status") or {}
    if has.get("podIP"):
        return str(has["podIP"])
    wish = (pod["metadata"].get("annotations") or {}).get("cni.projectcalico.org/ipAddrs", "")
    return str(wish).strip("[]\"' ")
