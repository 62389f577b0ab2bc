"""What a scenario still waits for: pods, workloads, Services, and the routes and rules on every node."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.api import Api, Object
from lab.carriers import Carrier, own_cluster, spec_of
from lab.errors import LabError

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")

Waiting = list[tuple[str, Object]]
"""States to wait for to end, each with the object that is in it."""


def unready(items: Sequence[Object], api: Api, carrier: Carrier) -> Waiting:
    """What is not ready, with its state; cheap conditions first, the nodes are asked last."""
    pods = list(pods_of(items, api))
    waiting = [(state, item) for item in items if (state := _workload_state(item, api, pods)) is not None]
    waiting += [(state, pod) for pod in pods if (state := _pod_state(pod)) is not None]
    if waiting:
        return waiting
    services = [item for item in items if item["kind"] == "Service"]
    waiting = [(state, item) for item in services if (state := _service_state(item, api)) is not None]
    return waiting or _missing_routes(pods, carrier) or _unprogrammed(services, api, carrier)


def pods_of(items: Iterable[Object], api: Api) -> Iterator[Object]:
    """The pods among these objects, and the pods that the workloads among them made."""
    for item in items:
        namespace = item["metadata"].get("namespace", "default")
        if item["kind"] == "Pod":
            pod = api.get(item)
            if pod is not None:
                yield pod
        elif item["kind"] in _WORKLOADS:
            labels = _template_labels(item)
            found = api.find("v1", "Pod", namespace, _selector(labels)) if labels else []
            yield from (pod for pod in found if not pod["metadata"].get("deletionTimestamp"))


def _template_labels(workload: Object) -> dict[str, str]:
    spec = workload.get("spec", {})
    labels = spec.get("selector", {}).get("matchLabels") or spec.get("template", {}).get("metadata", {}).get("labels")
    return dict(labels or {})


def _selector(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _workload_state(item: Object, api: Api, pods: list[Object]) -> str | None:
    """Why a workload is not ready yet, or None; a bare pod only has to be there."""
    if item["kind"] not in (*_WORKLOADS, "Pod"):
        return None
    now = api.get(item)
    if now is None:
        return "is not there"
    if item["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
        return None
    status = now.get("status", {})
    if status.get("observedGeneration", 0) < now["metadata"].get("generation", 0):
        return "was not looked at by its controller yet"
    if item["kind"] == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    else:
        wanted, ready = now["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    return None if ready == wanted else f"has {ready} of {wanted} pods Ready"


def _pod_state(pod: Object) -> str | None:
    """Why a pod is not ready yet, or None."""
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    status = pod.get("status", {})
    phase = status.get("phase", "Pending")
    conditions = {entry["type"]: entry["status"] for entry in status.get("conditions") or []}
    if phase == "Succeeded" or (phase == "Running" and conditions.get("Ready") == "True"):
        return None
    reasons = [
        f"{word.get('reason', '')} {word.get('message', '')}".strip()
        for container in status.get("containerStatuses") or []
        for word in container.get("state", {}).values()
        if word.get("reason")
    ]
    unscheduled = [
        entry.get("message", "")
        for entry in status.get("conditions") or []
        if entry["type"] == "PodScheduled" and entry["status"] == "False"
    ]
    return f"is {phase}, not Ready" + "".join(f"; {reason}" for reason in reasons + unscheduled)


def _service_state(service: Object, api: Api) -> str | None:
    """Why a Service cannot be used yet, or None: each Ready pod that it selects must be an endpoint."""
    selector = service.get("spec", {}).get("selector")
    if not selector:
        return None
    namespace = service["metadata"].get("namespace", "default")
    pods = api.find("v1", "Pod", namespace, _selector(selector))
    wanted = sum(1 for pod in pods if _pod_state(pod) is None and pod["status"].get("phase") == "Running")
    found = len(_endpoints(service, api))
    return None if found == wanted else f"has {found} endpoints for {wanted} pods"


def _endpoints(service: Object, api: Api) -> set[str]:
    """The addresses of a Service's ready endpoints."""
    namespace, name = service["metadata"].get("namespace", "default"), service["metadata"]["name"]
    return {
        address
        for piece in api.find("discovery.k8s.io/v1", "EndpointSlice", namespace, f"kubernetes.io/service-name={name}")
        for endpoint in piece.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"]
    }


def host_network(pod: Object) -> bool:
    """Whether a pod shares its node's network, so that it has no route of its own."""
    return bool(pod.get("spec", {}).get("hostNetwork"))


def _ask_nodes(carrier: Carrier, command: str, what: str) -> dict[str, str]:
    """What a command prints on each node, asked side by side.

    Raises:
        LabError: It failed on one.
    """
    names = [node.name for node in spec_of(carrier).nodes]
    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda name: carrier.execute(name, command, timeout=10.0), names))
    for name, done in zip(names, answers, strict=True):
        if done.status != 0:
            raise LabError(f"{name}: {what} exited {done.status}", detail=done.stderr)
    return {name: done.stdout for name, done in zip(names, answers, strict=True)}


def _tables(carrier: Carrier) -> dict[str, list[ipaddress.IPv4Network]]:
    """The prefixes that each node has a route for, without the default route."""
    tables = _ask_nodes(carrier, "ip -4 route show", "reading the routes")
    return {name: list(_prefixes(routes)) for name, routes in tables.items()}


def _prefixes(routes: str) -> Iterator[ipaddress.IPv4Network]:
    for line in routes.splitlines():
        # Lines of another kind begin with a word: default, blackhole, unreachable.
        if line[:1].isdigit():
            yield ipaddress.IPv4Network(line.split()[0])


def _missing_routes(pods: list[Object], carrier: Carrier) -> Waiting:
    """The pods that some node has no way to yet."""
    running = [pod for pod in pods if pod["status"].get("phase") == "Running" and not host_network(pod)]
    if not running:
        return []
    tables = _tables(carrier)
    attached = own_cluster(carrier)
    # Another CNI than Calico may lead to all pods of a node by one route.
    each = attached is None or "calico" not in attached.lacks
    waiting = []
    for pod in running:
        address = ipaddress.IPv4Address(pod["status"]["podIP"])
        own = pod["spec"]["nodeName"]
        if each and own in tables and ipaddress.IPv4Network(address) not in tables[own]:
            waiting.append((f"has no route {address}/32 on {own}", pod))
        waiting += [
            (f"has no route to {address} on {node}", pod)
            for node, prefixes in tables.items()
            if node != own and not any(address in prefix for prefix in prefixes)
        ]
    return waiting


def stale_routes(addresses: dict[str, str], carrier: Carrier) -> Waiting:
    """Routes of 32 bits that lead to pods which are gone."""
    if not any(addresses.values()):
        return []
    present = {prefix for prefixes in _tables(carrier).values() for prefix in prefixes}
    waiting = []
    for name, address in addresses.items():
        if address and ipaddress.IPv4Network(address) in present:
            kind, _, rest = name.partition(" ")
            namespace, _, pod = rest.rpartition("/")
            item = {"apiVersion": "v1", "kind": kind, "metadata": {"name": pod, "namespace": namespace}}
            waiting.append((f"is gone, but the route {address}/32 is not", item))
    return waiting


PROXY = """\
mode=$(curl -s --max-time 5 http://localhost:10249/proxyMode); echo "$mode"
case $mode in
  iptables) iptables-save ;;
  nftables) nft -s list table ip kube-proxy ;;
  ipvs) ipvsadm -Sn ;;
  *) echo "kube-proxy does not tell its mode" >&2; exit 1 ;;
esac"""
"""Prints kube-proxy's mode on a node, and all rules that it can have made in this mode."""


def _has_kube_proxy(carrier: Carrier) -> bool:
    own = own_cluster(carrier)
    return own is None or own.kube_proxy


def cluster_ips(items: Iterable[Object], api: Api) -> dict[str, Object]:
    """The Services among these objects that have a ClusterIP, by that address, as they are now."""
    services = [now for item in items if item["kind"] == "Service" and (now := api.get(item)) is not None]
    found = {str(now.get("spec", {}).get("clusterIP") or ""): now for now in services}
    return {address: now for address, now in found.items() if address not in ("", "None")}


def _unprogrammed(services: list[Object], api: Api, carrier: Carrier) -> Waiting:
    """The Services that kube-proxy on some node has no rule for yet, in the mode that is in force there."""
    addresses = cluster_ips(services, api)
    if not addresses or not _has_kube_proxy(carrier):
        return []
    waiting = []
    answers = _ask_nodes(carrier, PROXY, "reading kube-proxy's rules")
    for address, service in addresses.items():
        endpoints = _endpoints(service, api)
        # With these, each node has rules for some of the endpoints only.
        partial = {"internalTrafficPolicy": "Local"}.items() <= service["spec"].items()
        partial |= "trafficDistribution" in service["spec"]
        for node, answer in answers.items():
            mode, _, rules = answer.partition("\n")
            missing = _missing_rules(mode, rules, address, service, set() if partial else endpoints)
            waiting += [(f"has no rule for {what} on {node} ({mode})", service) for what in missing[:1]]
    return waiting


def _missing_rules(mode: str, rules: str, address: str, service: Object, endpoints: set[str]) -> list[str]:
    """The ports and endpoints of a Service that rules do not name."""
    metadata = service["metadata"]
    name = f"{metadata.get('namespace', 'default')}/{metadata['name']}"
    missing = []
    for port in service["spec"].get("ports") or []:
        protocol, number = port.get("protocol", "TCP").lower(), port["port"]
        pattern = {
            "iptables": rf"^-A KUBE-SERVICES -d {re.escape(address)}/32 -p {protocol} .*--dport {number} ",
            "nftables": rf"\b{re.escape(address)} \. {protocol} \. {number} ",
            "ipvs": rf"^-A -{protocol[0]} {re.escape(address)}:{number} ",
        }[mode]
        missing += [] if re.search(pattern, rules, re.MULTILINE) else [f"{address}:{number}"]
    for endpoint in sorted(endpoints):
        pattern = {
            "iptables": rf'"{re.escape(name)}(?::[\w-]+)?".* --to-destination {re.escape(endpoint)}:',
            # Only with session affinity an endpoint has a chain of its own.
            "nftables": rf"endpoint-\w+-{re.escape(name)}/\S*__{re.escape(endpoint)}/"
            rf"|chain service-\w+-{re.escape(name)}/\S* {{\n.* {re.escape(endpoint)}(?::| \. )\d",
            "ipvs": rf"^-a -\w {re.escape(address)}:\d+ -r {re.escape(endpoint)}:",
        }[mode]
        missing += [] if re.search(pattern, rules, re.MULTILINE) else [endpoint]
    return missing


def stale_rules(services: dict[str, Object], carrier: Carrier) -> Waiting:
    """Services that are gone, but not from some node's rules."""
    if not services or not _has_kube_proxy(carrier):
        return []
    answers = _ask_nodes(carrier, PROXY, "reading kube-proxy's rules")
    return [
        (f"is gone, but {node} has rules for {address}", service)
        for address, service in services.items()
        for node, answer in answers.items()
        if re.search(rf"(?<![\d.]){re.escape(address)}(?![\d.])", answer)
    ]


def events(item: Object, api: Api) -> list[str]:
    """The last events of an object, oldest first."""
    metadata = item["metadata"]
    try:
        found = api.find("v1", "Event", metadata.get("namespace", "default"))
    except LabError:
        return []  # the wait itself failed; that is what must be told
    # By uid where there is one: an earlier object of that name had events, too.
    wanted = {"kind": item["kind"], "name": metadata["name"]}
    wanted |= {"uid": metadata["uid"]} if "uid" in metadata else {}
    mine = [event for event in found if wanted.items() <= event["involvedObject"].items()]
    mine.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [f"  event: {event.get('reason')}: {event.get('message')}" for event in mine[-5:]]
