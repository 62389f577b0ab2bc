"""What a scenario still waits for: pods, workloads, Services, and the routes on every node."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from lab.api import Api, Object
from lab.carriers import Carrier
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
    return waiting or _missing_routes(pods, carrier)


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
    namespace, name = service["metadata"].get("namespace", "default"), service["metadata"]["name"]
    pods = api.find("v1", "Pod", namespace, _selector(selector))
    wanted = sum(1 for pod in pods if _pod_state(pod) is None and pod["status"].get("phase") == "Running")
    slices = api.find("discovery.k8s.io/v1", "EndpointSlice", namespace, f"kubernetes.io/service-name={name}")
    addresses = {
        address
        for piece in slices
        for endpoint in piece.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"]
    }
    return None if len(addresses) == wanted else f"has {len(addresses)} endpoints for {wanted} pods"


def host_network(pod: Object) -> bool:
    """Whether a pod shares its node's network, so that it has no route of its own."""
    return bool(pod.get("spec", {}).get("hostNetwork"))


def _tables(carrier: Carrier) -> dict[str, list[ipaddress.IPv4Network]]:
    """The prefixes that each node has a route for, without the default route."""
    from lab.spec import load_spec

    tables = {}
    for node in load_spec().nodes:
        done = carrier.execute(node.name, "ip -4 route show", timeout=10.0)
        if done.status != 0:
            raise LabError(f"{node.name}: reading the routes exited {done.status}", detail=done.stderr)
        tables[node.name] = list(_prefixes(done.stdout))
    return tables


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
    waiting = []
    for pod in running:
        address = ipaddress.IPv4Address(pod["status"]["podIP"])
        own = pod["spec"]["nodeName"]
        if own in tables and ipaddress.IPv4Network(address) not in tables[own]:
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
