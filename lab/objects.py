"""The objects of a cluster in comparable form: what a snippet made, changed or deleted."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lab.api import Object, api_client, title
from lab.carriers import Carrier
from lab.errors import LabError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_CALICO = "/apis/crd.projectcalico.org/v1/"
KINDS = {
    "/api/v1/": {
        "namespaces": "Namespace", "nodes": "Node", "pods": "Pod", "services": "Service", "configmaps": "ConfigMap",
        "secrets": "Secret",
    },
    "/apis/apps/v1/": {"daemonsets": "DaemonSet", "deployments": "Deployment"},
    "/apis/discovery.k8s.io/v1/": {"endpointslices": "EndpointSlice"},
    "/apis/networking.k8s.io/v1/": {"networkpolicies": "NetworkPolicy"},
    _CALICO: {
        "ippools": "IPPool", "felixconfigurations": "FelixConfiguration", "bgpconfigurations": "BGPConfiguration",
        "bgppeers": "BGPPeer", "networkpolicies": "Calico NetworkPolicy",
        "globalnetworkpolicies": "GlobalNetworkPolicy",
    },
}  # fmt: skip
"""The kinds that are compared, by the part of the API that they are in. Of others, such as Jobs, the pods are seen;
leases, events, allocated addresses and all else that controllers write for themselves are none of a snippet's."""

OF_SCENARIOS = (
    ("", "Pod"), ("", "Service"), ("discovery.k8s.io", "EndpointSlice"), ("networking.k8s.io", "NetworkPolicy"),
)  # fmt: skip
"""What the lab makes in a namespace of its own: groups and kinds."""

# Written by controllers: tokens that run out and what is signed with them, and when something was last rolled out.
_NOISE = ("Secret kube-system/bootstrap-token-", "ConfigMap kube-public/cluster-info")
_NOISY_ANNOTATIONS = {"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"}

_UNREADY = "not Ready"


@dataclass(frozen=True)
class Known:
    """One object.

    Attributes:
        content: All that somebody wrote into it, as text.
        created: When it was made, as `2026-11-24T12:00:00Z`.
    """

    content: str
    created: str


Objects = Mapping[str, Known]
"""Objects by their names for people, such as `Pod default/pod2`."""


class Inventory:
    """Reads the objects; keeps one connection to the API server.

    Args:
        carrier: The running lab.
        namespace: Read only what scenarios make, and only there; None reads all there is.
    """

    def __init__(self, carrier: Carrier, namespace: str | None = None) -> None:
        carrier.enter()
        self._api: ApiClient = api_client(carrier)
        self._namespace = namespace

    def __enter__(self) -> "Inventory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.rest_client.pool_manager.clear()

    def look(self) -> Objects:
        """All objects there are.

        Raises:
            LabError: The API server does not answer, or refuses.
        """
        found: dict[str, Known] = {}
        for path, kind in self._paths():
            for item in self._list(path):
                name, known = _known({**item, "kind": kind})
                # Pods of one owner in one place are one entry: the worst of them.
                found[name] = max(known, found.get(name, known), key=lambda each: each.content)
        if not found and self._namespace is None:
            raise LabError("the API server lists no object at all", hint="lab status")
        return {name: known for name, known in found.items() if not name.startswith(_NOISE)}

    def _paths(self) -> Iterator[tuple[str, str]]:
        """Where lists are, each with the kind of its items."""
        for part, kinds in KINDS.items():
            for plural, kind in kinds.items():
                if self._namespace is None:
                    yield part + plural, kind
                elif kind in [kind for _, kind in OF_SCENARIOS]:
                    yield f"{part}namespaces/{self._namespace}/{plural}", kind

    def _list(self, path: str) -> list[Object]:
        from urllib3.exceptions import HTTPError

        accept = {"Accept": "application/json"}
        request: Any = self._api.param_serialize("GET", path, auth_settings=["BearerToken"], header_params=accept)
        try:
            answer: Any = self._api.call_api(*request)
            data = answer.read()
        except (HTTPError, OSError) as error:
            raise LabError(
                f"listing {path}: the API server does not answer", detail=str(error), hint="lab status"
            ) from None
        if answer.status == 404:
            return []  # a cluster without Calico
        if answer.status != 200:
            raise LabError(f"listing {path}: the API server answered {answer.status} {answer.reason}")
        return list(json.loads(data).get("items") or [])


def strangers(found: Objects) -> list[str]:
    """Pods, Services and policies that are not the system's: between two scenarios somebody else made them."""
    names = []
    for name in found:
        match = re.match(r"(?:Pod|Service|(?:Calico )?NetworkPolicy) (?:of )?([^/]+)/", name)
        if match and not match[1].startswith("kube-") and name != "Service default/kubernetes":
            names.append(name)
    return sorted(names)


def _known(item: Object) -> tuple[str, Known]:
    """An object's name and content, without what changes by itself."""
    metadata = item["metadata"]
    created = str(metadata.get("creationTimestamp", ""))
    owners = [f"{owner['kind']} {owner['name']}" for owner in metadata.get("ownerReferences") or []]
    if owners:
        # Another pod of the same owner in the same place is no change; nor is a slice that follows its Service.
        place, ready = item.get("spec", {}).get("nodeName", ""), _ready(item)
        name = f"{item['kind']} of {metadata.get('namespace', '')}/{owners[0]}{f' on {place}' if place else ''}"
        return name, Known("" if ready else _UNREADY, created)
    annotations = metadata.get("annotations") or {}
    content = {
        **{key: value for key, value in item.items() if key not in ("metadata", "status", "apiVersion", "kind")},
        "labels": metadata.get("labels") or {},
        "annotations": {key: value for key, value in annotations.items() if key not in _NOISY_ANNOTATIONS},
        "ready": _ready(item),
        "going": "deletionTimestamp" in metadata,
    }
    return title(item), Known(json.dumps(content, sort_keys=True), created)


def _ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions") or [] if item["kind"] in ("Pod", "Node") else []
    return all(entry["status"] == "True" for entry in conditions if entry["type"] == "Ready")


def differences(before: Objects, after: Objects) -> dict[str, str]:
    """What is another now: the name of each object, with what became of it."""
    found = {name: "was left" for name in after.keys() - before.keys()}
    found |= {name: "is gone" for name in before.keys() - after.keys()}
    changed = [name for name in before.keys() & after.keys() if before[name].content != after[name].content]
    found |= {name: "is not Ready" if after[name].content == _UNREADY else "was changed" for name in changed}
    return dict(sorted(found.items()))
