"""Which nodes of your own cluster play the three of the book."""

from dataclasses import replace

from lab.api import Object
from lab.errors import LabError
from lab.spec import NodeSpec, Spec

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def choose(nodes: list[Object], wanted: str | None, book: Spec) -> dict[str, Object]:
    """A node of the cluster for each node of the book.

    Without a wish, the first control plane by name plays the book's, and the first workers by name its workers.

    Args:
        nodes: All Node objects of the cluster.
        wanted: As in `controlplane=cp-a,node01=w1`; the rest is chosen.
        book: The book's cluster.

    Raises:
        LabError: A name means nothing, or there are too few nodes that can be used.
    """
    by_name = {str(node["metadata"]["name"]): node for node in sorted(nodes, key=lambda node: node["metadata"]["name"])}
    cast = _wishes(wanted, by_name, book)
    usable = {name: node for name, node in by_name.items() if not _unusable(node)}
    for name in cast.values():
        if name not in usable:
            raise LabError(
                f"the node {name} cannot be used: {_unusable(by_name[name])}", hint="name another one with --nodes"
            )
    free = [name for name in usable if name not in cast.values()]
    # Where a provider hides the control plane, the last worker stands in for it.
    first = [name for name in free if _CONTROL_PLANE in usable[name]["metadata"].get("labels", {})]
    workers = [name for name in free if name not in first]
    for role in [book.control_plane, *book.workers] if first else [*book.workers, book.control_plane]:
        source = (first if role is book.control_plane else workers) or workers or first
        if role.name not in cast and source:
            cast[role.name] = source.pop(0)
    missing = [role.name for role in book.nodes if role.name not in cast]
    if missing:
        told = "; ".join(f"{name}: {_unusable(node) or 'can be used'}" for name, node in by_name.items())
        raise LabError(
            f"the book needs {len(book.nodes)} nodes, and this cluster has {len(usable)} that can be used",
            detail=told,
            hint="look at them: kubectl get nodes -o wide",
        )
    return {role.name: usable[cast[role.name]] for role in book.nodes}


def _wishes(wanted: str | None, by_name: dict[str, Object], book: Spec) -> dict[str, str]:
    roles = [role.name for role in book.nodes]
    found: dict[str, str] = {}
    for pair in (wanted or "").split(","):
        role, equals, name = (part.strip() for part in pair.partition("="))
        if not pair.strip():
            continue
        if not equals or role not in roles:
            raise LabError(
                f"--nodes: {pair!r} does not name a node of the book",
                hint=f"write it so: --nodes {','.join(f'{each}=NAME' for each in roles)}",
            )
        if name not in by_name:
            raise LabError(
                f"--nodes: the cluster has no node {name!r}", hint=f"it has: {', '.join(by_name) or 'no node at all'}"
            )
        if name in found.values():
            raise LabError(f"--nodes: {name} cannot play two nodes", hint="give each another one")
        found[role] = name
    return found


def _unusable(node: Object) -> str:
    """Why a node cannot be used; empty when it can."""
    labels = node["metadata"].get("labels") or {}
    conditions = {each["type"]: each["status"] for each in node.get("status", {}).get("conditions") or []}
    if labels.get("kubernetes.io/os", "linux") != "linux":
        return f"it runs {labels['kubernetes.io/os']}"
    if conditions.get("Ready") != "True":
        return "it is not Ready"
    return "" if address(node) else "it has no IPv4 address"


def address(node: Object) -> str:
    """A node's own IPv4 address; empty when the API server knows none."""
    for each in node.get("status", {}).get("addresses") or []:
        if each["type"] == "InternalIP" and ":" not in each["address"]:
            return str(each["address"])
    return ""


def spec(cast: dict[str, Object], book: Spec, *, pods: str, services: str, dns: str) -> Spec:
    """The cluster as snippets see it: three nodes, with their own names and addresses.

    Args:
        cast: The node that plays each node of the book.
        book: The book's cluster.
        pods: The network of the pods.
        services: The network of the Services.
        dns: ClusterIP of the name server.
    """
    nodes = tuple(_node(role, cast[role.name]) for role in book.nodes)
    networks = replace(book.networks, pods=pods, services=services, dns=dns)
    return replace(book, networks=networks, nodes=nodes)


def _node(role: NodeSpec, node: Object) -> NodeSpec:
    return replace(role, name=str(node["metadata"]["name"]), address=address(node), mac="", memory=0)
