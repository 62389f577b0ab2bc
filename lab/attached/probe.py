"""What your cluster has: its networks, who gives pods their addresses, and which programs its nodes have."""

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lab import paths, scenario
from lab.api import Object
from lab.attached import needs
from lab.attached.fit import ADDRESSES, BOOK_BLOCKS, Fit
from lab.attached.nodes import address
from lab.attached.server import Server
from lab.carriers import Completed
from lab.carriers.here import TOOLS as SANDBOX_TOOLS
from lab.spec import Spec

_CALICO = "/apis/crd.projectcalico.org/v1"
_TUNNEL = "projectcalico.org/IPv4IPIPTunnelAddr"

Send = Callable[[str, str], Completed]
"""Runs a shell line as root on a node."""


@dataclass(frozen=True)
class Facts:
    """What the API server tells of a cluster.

    Attributes:
        cast: The node that plays each node of the book.
        count: How many nodes there are.
        pods: The network of the pods.
        services: The network of the Services.
        dns: ClusterIP of the name server.
        api: ClusterIP of the API server.
        blocks: Calico's block of each node of the book; empty where it has none, several, or one of another size.
        ipip: The mode of IPIP of Calico's pool; empty without Calico.
        policies: How many NetworkPolicies others have made.
        taken: Pod addresses, ClusterIPs and node ports that are taken.
        images: Images that every one of the nodes holds.
    """

    cast: dict[str, Object]
    count: int
    pods: str
    services: str
    dns: str
    api: str
    blocks: dict[str, str] = field(default_factory=dict)
    ipip: str = ""
    policies: int = 0
    taken: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()


def facts(server: Server, cast: dict[str, Object], nodes: list[Object], namespace: str) -> Facts:
    """Ask the API server; what it does not let us read counts as not there.

    Args:
        server: The API server.
        cast: The node that plays each node of the book.
        nodes: All nodes.
        namespace: The lab's own: what is in it does not count as taken.
    """
    services = [each for each in server.items("/api/v1/services")]
    pods = [each for each in server.items("/api/v1/pods")]
    pools = [each["spec"] for each in server.items(f"{_CALICO}/ippools") if ":" not in each["spec"]["cidr"]]
    pools = [pool for pool in pools if not pool.get("disabled")]
    addresses = {_name(each): str(each["spec"].get("clusterIP", "")) for each in services}
    return Facts(
        cast=cast,
        count=len(nodes),
        pods=str(pools[0]["cidr"]) if pools else _pod_network(server, nodes),
        services=_service_network(server, addresses.get("default/kubernetes", "")),
        dns=next((ip for name, ip in addresses.items() if name.endswith("dns") and "kube-system/" in name), ""),
        api=addresses.get("default/kubernetes", ""),
        blocks=_blocks(server, cast) if len(pools) == 1 else {},
        ipip=str(pools[0].get("ipipMode", "Never")) if len(pools) == 1 else "",
        policies=len(
            [
                each
                for path in (
                    "/apis/networking.k8s.io/v1/networkpolicies",
                    f"{_CALICO}/networkpolicies",
                    f"{_CALICO}/globalnetworkpolicies",
                )
                for each in server.items(path)
                if each["metadata"].get("namespace") != namespace
            ]
        ),
        taken=_taken(services, pods, namespace),
        images=_images(cast),
    )


def _name(item: Object) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _taken(services: list[Object], pods: list[Object], namespace: str) -> frozenset[str]:
    found = {str(pod.get("status", {}).get("podIP", "")) for pod in pods if not _ours(pod, namespace)}
    for service in services:
        if not _ours(service, namespace):
            found.add(str(service["spec"].get("clusterIP", "")))
            found |= {str(port["nodePort"]) for port in service["spec"].get("ports") or [] if "nodePort" in port}
    return frozenset(found - {"", "None"})


def _ours(item: Object, namespace: str) -> bool:
    metadata = item["metadata"]
    return metadata.get("namespace") == namespace and (metadata.get("labels") or {}).get(scenario.LABEL) == (
        scenario.OWNER
    )


def _images(cast: dict[str, Object]) -> frozenset[str]:
    sets = [
        {name for image in node.get("status", {}).get("images") or [] for name in image.get("names") or []}
        for node in cast.values()
    ]
    return frozenset(set.intersection(*sets)) if sets else frozenset()


def _blocks(server: Server, cast: dict[str, Object]) -> dict[str, str]:
    specs = [each["spec"] for each in server.items(f"{_CALICO}/blockaffinities")]
    found = {}
    for role, node in cast.items():
        name = node["metadata"]["name"]
        own = [str(each["cidr"]) for each in specs if each.get("node") == name and ":" not in each["cidr"]]
        if len(own) == 1 and own[0].endswith("/26"):
            found[role] = own[0]
    return found if len(found) == len(cast) else {}


def _kubeadm(server: Server) -> Mapping[str, Any]:
    """The `networking` section of kubeadm's own record; empty for a cluster of another making."""
    import yaml

    status, body = server.ask("GET", "/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
    text = (body.get("data") or {}).get("ClusterConfiguration", "") if status == 200 else ""
    return dict((yaml.safe_load(text) or {}).get("networking") or {})


def _pod_network(server: Server, nodes: list[Object]) -> str:
    subnet = str(_kubeadm(server).get("podSubnet", ""))
    own = [str(node.get("spec", {}).get("podCIDR", "")) for node in nodes]
    return (subnet or next(filter(None, own), "")).split(",")[0]


def _service_network(server: Server, api: str) -> str:
    ranges = [
        cidr for each in server.items("/apis/networking.k8s.io/v1/servicecidrs") for cidr in each["spec"]["cidrs"]
    ]
    for cidr in [*ranges, *str(_kubeadm(server).get("serviceSubnet", "")).split(",")]:
        if cidr and ":" not in cidr:
            return str(cidr)
    # The API server's own is always the first of its network; how far that goes, nobody tells.
    return str(ipaddress.ip_network(f"{api}/24", strict=False)) if api else ""


PROBE = """\
for tool in {tools}; do command -v $tool >/dev/null 2>&1 || echo "without $tool"; done
ip -4 -o route show default 2>/dev/null | head -n 1 | sed -E 's/^default via ([0-9.]+) dev ([^ ]+).*/gateway \\1 \\2/'
echo "proxy $(curl -s --max-time 3 http://localhost:10249/proxyMode)"
echo "kubectl $(kubectl get namespace {namespace} -o name 2>&1 | tail -n 1)"
echo "iptables $(iptables --version 2>/dev/null | cut -d' ' -f2-)"
"""


@dataclass
class NodeFacts:
    """What a node itself tells.

    Attributes:
        without: Programs that it lacks.
        gateway: Its way out.
        device: The device that leads there.
        proxy: The mode of its kube-proxy; empty where none answers.
        kubectl: What kubectl answers there when it is asked for the lab's namespace.
        iptables: Version of iptables.
    """

    without: list[str] = field(default_factory=list)
    gateway: str = ""
    device: str = ""
    proxy: str = ""
    kubectl: str = ""
    iptables: str = ""


def look(nodes: Sequence[str], send: Send, namespace: str) -> dict[str, NodeFacts]:
    """Ask each node, side by side.

    Raises:
        LabError: One is not reached.
    """
    tools = sorted({*needs.TOOLS, *needs.EVERY, *SANDBOX_TOOLS})
    line = PROBE.format(tools=" ".join(tools), namespace=namespace)
    with ThreadPoolExecutor(len(nodes)) as pool:
        answers = list(pool.map(lambda node: send(node, line), nodes))
    return {node: _read(done.stdout) for node, done in zip(nodes, answers, strict=True)}


def _read(said: str) -> NodeFacts:
    found = NodeFacts()
    for line in said.splitlines():
        word, _, rest = line.partition(" ")
        if word == "without":
            found.without.append(rest)
        elif word == "gateway":
            found.gateway, _, found.device = rest.partition(" ")
        elif word in ("proxy", "kubectl", "iptables"):
            setattr(found, word, rest.strip())
    return found


def lacks(found: Facts, seen: Mapping[str, NodeFacts], spec: Spec, fit: Fit, *, mine: bool) -> dict[str, str]:
    """What the cluster lacks of all that snippets can need, each with what it has in its place.

    Args:
        found: What the API server told.
        seen: What the nodes told.
        spec: The cluster as snippets see it.
        fit: What the book's values are here.
        mine: Whether the cluster is the user's alone.
    """
    missing: dict[str, str] = {}
    control, worker = spec.control_plane.name, spec.workers[0].name

    def unless(holds: bool, feature: str, instead: str) -> None:
        if not holds:
            missing[feature] = instead

    calico = "no pool of Calico's" if not found.ipip else "not one block of 26 bits on each node"
    unless(bool(found.blocks), "calico", calico)
    unless(found.ipip == "Always", "ipip", f"ipipMode {found.ipip}" if found.ipip else "no pool of Calico's")
    unless(found.count == len(spec.nodes), "three", f"{found.count} nodes")
    modes = {node: facts.proxy for node, facts in seen.items()}
    told = ", ".join(f"{node}: {mode or 'no kube-proxy answers'}" for node, mode in modes.items())
    unless(set(modes.values()) == {"iptables"}, "kube-proxy", told)
    devices = {node: facts.device for node, facts in seen.items()}
    told = ", ".join(f"{node}: {device or 'no default route'}" for node, device in devices.items())
    unless(set(devices.values()) == {"eth0"}, "eth0", told)
    unless(fit.same_addresses, "addresses", fit.other_address)
    unless(fit.same_names, "names", f"scenarios live in {fit.namespace}")
    unless(not found.policies, "no-policies", f"{found.policies} of others")
    unless(mine, "mine", "an attached cluster is left as it is")
    kubectl = seen[control].kubectl
    unless(kubectl == f"namespace/{fit.namespace}", "kubectl", f"{control}: {kubectl or 'no kubectl'}")
    for tool in needs.TOOLS:
        unless(*_everywhere(tool, seen))
    everywhere = [tool for tool in needs.EVERY if any(tool in facts.without for facts in seen.values())]
    unless(not everywhere, "every", "; ".join(_everywhere(tool, seen)[2] for tool in everywhere))
    sandbox = [tool for tool in SANDBOX_TOOLS if tool in seen[worker].without]
    here = f"{worker} has no {', '.join(sandbox)}; this needs no cluster: lab run --carrier here"
    unless(not sandbox, "sandbox", here)
    return missing


def _everywhere(tool: str, seen: Mapping[str, NodeFacts]) -> tuple[bool, str, str]:
    without = [node for node, facts in seen.items() if tool in facts.without]
    return not without, f"program {tool}", f"no {tool} on {', '.join(without)}"


def fit(found: Facts, gateway: str, book: Spec, namespace: str) -> Fit:
    """What each of the book's values is on this cluster.

    Args:
        found: What the API server told.
        gateway: The nodes' way out.
        book: The book's cluster.
        namespace: Where scenarios live.
    """
    texts = _texts()
    addresses = {role.address: address(found.cast[role.name]) for role in book.nodes}
    addresses[book.networks.gateway] = gateway or book.networks.gateway
    networks = {book.networks.pods: found.pods} if found.pods else {}
    if found.services:
        addresses |= _services(found, book, texts)
        networks[book.networks.services] = found.services
    if found.blocks:
        networks |= {BOOK_BLOCKS[role]: block for role, block in found.blocks.items()}
        addresses |= _pods(found, texts)
    ports = [int(port) for port in sorted(set(re.findall(r"\b30\d{3}\b", texts)))]
    return Fit(
        namespace,
        nodes={role: str(node["metadata"]["name"]) for role, node in found.cast.items()},
        addresses=addresses,
        networks=networks,
        ports=_free_ports(ports, found.taken),
        fixed=bool(found.blocks),
    )


def _texts() -> str:
    """All snippets and scenarios: what is written in them as an address is one of the book's values."""
    files = [*paths.SNIPPETS.glob("*/*.py"), *(paths.SNIPPETS / "scenarios").glob("*.yaml")]
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(files))


def _written(texts: str, network: str) -> list[str]:
    inside = ipaddress.ip_network(network)
    found = set(re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)", texts))
    known = sorted(ipaddress.IPv4Address(each) for each in found if all(int(part) < 256 for part in each.split(".")))
    return [str(each) for each in known if each in inside]


def _services(found: Facts, book: Spec, texts: str) -> dict[str, str]:
    """A free ClusterIP for each that the book has; the name server's and the API server's are as they are."""
    old, new = ipaddress.ip_network(book.networks.services), ipaddress.ip_network(found.services)
    pairs = {str(old[1]): found.api, book.networks.dns: found.dns or book.networks.dns}
    used = {*pairs.values(), *found.taken}
    for each in _written(texts, book.networks.services):
        if each not in pairs and ipaddress.ip_address(each) != old.network_address:
            offset = int(ipaddress.ip_address(each)) - int(old.network_address)
            pairs[each] = _free(new, offset, used)
            used.add(pairs[each])
    return pairs


def _pods(found: Facts, texts: str) -> dict[str, str]:
    """The same place in the node's own block for each pod of the book, or the next free one."""
    pairs: dict[str, str] = {}
    used = set(found.taken)
    for role, block in found.blocks.items():
        old, new = ipaddress.ip_network(BOOK_BLOCKS[role]), ipaddress.ip_network(block)
        tunnel = str((found.cast[role]["metadata"].get("annotations") or {}).get(_TUNNEL, new.network_address))
        pairs[str(old.network_address)] = tunnel
        used.add(tunnel)
        for each in _written(texts, str(old)):
            if each not in pairs:
                pairs[each] = _free(new, int(ipaddress.ip_address(each)) - int(old.network_address), used)
                used.add(pairs[each])
    return pairs


def _free(network: ipaddress.IPv4Network | ipaddress.IPv6Network, offset: int, used: set[str]) -> str:
    """The address at this place of a network, or the next one that is not used."""
    size = network.num_addresses
    for step in range(size):
        found = str(network[(offset + step) % size])
        if found not in used:
            return found
    return str(network[offset % size])


def _free_ports(ports: Iterable[int], taken: frozenset[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for port in ports:
        here = port
        while str(here) in taken or here in found.values():
            here = here + 1 if here < 32767 else 30000
        found[port] = here
    return found


def learned(server: Server, fit: Fit, name: str) -> dict[str, str]:
    """The addresses that a scenario's pods were given, by the book's; for a cluster on which they cannot be fixed."""
    found = {}
    for item in scenario.load(name).objects:
        wanted = item["metadata"].get("annotations", {}).get(ADDRESSES)
        if item["kind"] == "Pod" and wanted:
            path = f"/api/v1/namespaces/{fit.namespace}/pods/{item['metadata']['name']}"
            given = (server.get(path) or {}).get("status", {}).get("podIP")
            if given:
                found[json.loads(wanted)[0]] = str(given)
    return found
