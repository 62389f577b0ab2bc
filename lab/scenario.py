"""Scenarios: the objects that a snippet needs in the cluster, applied before it and removed after it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import carriers, paths
from lab.api import Api, KubernetesApi, Object, title
from lab.carriers import Carrier, own_cluster
from lab.errors import LabError
from lab.scenario_state import Waiting, cluster_ips, events, host_network, pods_of, stale_routes, stale_rules, unready

# `reset` finds by this label what a snippet left behind.
LABEL = "app.kubernetes.io/managed-by"
OWNER = "living-book"
TIMEOUT = 90.0
_POLL = 0.3


@dataclass(frozen=True)
class Scenario:
    """A manifest of `snippets/scenarios`.

    Attributes:
        name: The file's name without `.yaml`.
        objects: Its objects in order, labelled, each with its namespace.
    """

    name: str
    objects: tuple[Object, ...]


def path_of(name: str) -> Path:
    """The file of a scenario."""
    return paths.SNIPPETS / "scenarios" / f"{name}.yaml"


def names() -> list[str]:
    """All scenarios there are."""
    return sorted(path.stem for path in (paths.SNIPPETS / "scenarios").glob("*.yaml"))


def load(name: str) -> Scenario:
    """Read a scenario's manifest.

    Raises:
        LabError: There is none of that name, or it is not a list of Kubernetes objects.
    """
    import yaml

    path = path_of(name)
    try:
        text = path.read_text(encoding="utf-8")
        documents = [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]
    except FileNotFoundError:
        raise LabError(f"there is no scenario {name!r}", hint=f"there are: {', '.join(names()) or 'none'}") from None
    except yaml.YAMLError as error:
        raise LabError(f"scenario {name}: the file is not YAML", detail=str(error)) from None
    for number, item in enumerate(documents, 1):
        missing = _missing(item)
        if missing:
            raise LabError(f"scenario {name}: object {number} has no {missing}", hint=str(path))
    if not documents:
        raise LabError(f"scenario {name} has no objects", hint=str(path))
    # A namespace must be there before what lives in it.
    documents.sort(key=lambda item: item["kind"] != "Namespace")
    return Scenario(name, tuple(_labelled(item) for item in documents))


def _missing(item: Any) -> str:
    if not isinstance(item, dict):
        return "fields"
    metadata = item.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        return "metadata.name"
    return ", ".join(key for key in ("apiVersion", "kind") if not isinstance(item.get(key), str))


def _labelled(item: Object) -> Object:
    metadata = dict(item["metadata"])
    metadata["labels"] = {**metadata.get("labels", {}), LABEL: OWNER}
    return {**item, "metadata": metadata}


def objects(name: str, carrier: Carrier) -> tuple[Object, ...]:
    """A scenario's objects as they are made on this carrier's cluster.

    Raises:
        LabError: There is none of that name, or it is not a list of Kubernetes objects.
    """
    found, own = load(name).objects, own_cluster(carrier)
    if own is None:
        return found
    from lab.attached.fit import names_in

    return own.fit.objects(found, names_in(path_of(name).read_text(encoding="utf-8")))


def apply(name: str, carrier: Carrier, *, timeout: float = TIMEOUT, api: Api | None = None) -> None:
    """Apply a scenario and wait until snippets can rely on it (see `wait_ready`).

    Args:
        name: Name of the scenario.
        carrier: The running lab.
        timeout: Seconds until this gives up.
        api: The API server; for tests.

    Raises:
        LabError: It did not become ready; says which object, its last state and its events.
    """
    items, own = objects(name, carrier), own_cluster(carrier)
    with _server(carrier, api) as server:
        # What an earlier run deletes must be gone first: applying would change the dying object.
        _wait(
            lambda: [("is being deleted", item) for item in items if _dying(server.get(item))],
            f"scenario {name} cannot be applied",
            timeout,
            server,
            hint="see `lab status`",
        )
        for item in items:
            server.apply(item)
        wait_ready(name, carrier, timeout=timeout, api=server)
    if own:
        own.learn(name)


def wait_ready(name: str, carrier: Carrier, *, timeout: float = TIMEOUT, api: Api | None = None) -> None:
    """Wait until snippets can rely on a scenario that somebody applied.

    Ready means: every pod is Ready, every node has a route to it (its own node one
    of 32 bits), every Service has its endpoints, and kube-proxy on every node has rules
    for its ClusterIP and its endpoints.

    Raises:
        LabError: It did not become ready; says which object, its last state and its events.
    """
    items = objects(name, carrier)
    with _server(carrier, api) as server:
        _wait(
            lambda: unready(items, server, carrier),
            f"scenario {name} is not ready",
            timeout,
            server,
            hint="look with `lab kubectl -- get pods -A -o wide`; clean up with `lab reset`",
        )


def present(name: str, carrier: Carrier, *, api: Api | None = None) -> bool:
    """Whether all objects of a scenario are in the cluster, and none of them is being deleted."""
    with _server(carrier, api) as server:
        found = [server.get(item) for item in objects(name, carrier)]
    return all(item is not None and not _dying(item) for item in found)


def remove(name: str, carrier: Carrier, *, timeout: float = TIMEOUT, api: Api | None = None) -> None:
    """Delete a scenario's objects; wait until they, their pods, and the routes and rules for them are gone.

    Raises:
        LabError: Something did not go away in time.
    """
    with _server(carrier, api) as server:
        _delete(list(objects(name, carrier)), carrier, server, f"scenario {name} does not go away", timeout)


def reset(carrier: Carrier, *, timeout: float = TIMEOUT, api: Api | None = None) -> list[str]:
    """Delete everything that snippets left behind, in all namespaces.

    Returns:
        The names of what was deleted, such as `Pod default/pod2`.

    Raises:
        LabError: Something did not go away in time.
    """
    with _server(carrier, api) as server:
        found = server.labelled(f"{LABEL}={OWNER}")
        _delete(found, carrier, server, "what snippets left behind does not go away", timeout)
    return sorted(title(item) for item in found)


@contextmanager
def _server(carrier: Carrier, api: Api | None) -> Iterator[Api]:
    """The API server that a test brings, or the lab's own for as long as the block runs."""
    if api is not None:
        yield api
        return
    own = KubernetesApi(carrier)
    try:
        yield own
    finally:
        own.close()


def _delete(items: list[Object], carrier: Carrier, api: Api, what: str, timeout: float) -> None:
    if not items:
        return
    pods = list(pods_of(items, api))
    addresses = {title(pod): pod.get("status", {}).get("podIP", "") for pod in pods if not host_network(pod)}
    services = cluster_ips(items, api)
    # Backwards: what lives in a namespace goes before it.
    for item in reversed(items):
        api.delete(item)

    def remaining() -> Waiting:
        left = [("is still there", item) for item in [*items, *pods] if _same(item, api.get(item))]
        return left or stale_routes(addresses, carrier) or stale_rules(services, carrier)

    _wait(remaining, what, timeout, api, hint="see `lab status`; `lab reset` tries again")


def _dying(item: Object | None) -> bool:
    return item is not None and bool(item["metadata"].get("deletionTimestamp"))


def _same(item: Object, now: Object | None) -> bool:
    """Whether an object is still there; another one of its name is a new one."""
    uid = item["metadata"].get("uid")
    return now is not None and (uid is None or uid == now["metadata"].get("uid"))


def _wait(check: Callable[[], Waiting], what: str, timeout: float, api: Api, *, hint: str) -> None:
    """Poll until nothing is left to wait for, or say what the first thing's last state was."""
    timeout *= carriers.patience()
    end = time.monotonic() + timeout
    while waiting := check():
        if time.monotonic() >= end:
            lines = [f"{title(item)} {state}" for state, item in waiting]
            raise LabError(
                f"{what} after {timeout:g} s", detail="\n".join(lines + events(waiting[0][1], api)), hint=hint
            )
        time.sleep(_POLL)
