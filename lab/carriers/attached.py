"""Your own cluster: read-mostly, in a namespace of the lab's own, and left as it was found."""

import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import carriers, scenario
from lab.api import Object
from lab.attached import kubeconfig as kubeconfigs
from lab.attached import needs, probe, ways
from lab.attached import nodes as casting
from lab.attached.fit import Fit
from lab.attached.server import OWN_NAMESPACE, RIGHTS, Server, require_rights
from lab.carriers import Completed
from lab.errors import LabError
from lab.paths import runtime_dir, state_dir
from lab.snippets import discover
from lab.spec import Networks, NodeSpec, Spec, load_spec

NAME = "attached"
NAMESPACE = "living-book"
LABELS = {"app.kubernetes.io/part-of": "living-book"}
"""On what `lab up` makes; not the label of scenarios, which `lab reset` removes."""
PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}
GONE = 120.0
"""Seconds in which a namespace with all that is in it must be gone, and pods must have started."""

Report = Callable[[str], None]
Way = ways.Ssh | ways.Pod

# The node's own kubectl, for the lab's namespace: what a snippet gives without one belongs there.
_KUBECTL = (
    'kubectl() {{ command kubectl --namespace={} "$@"; }}; '
    '[ -n "$KUBECONFIG" ] || [ -e "$HOME/.kube/config" ] || export KUBECONFIG=/etc/kubernetes/admin.conf; '
)


@dataclass(frozen=True)
class Wish:
    """What `lab up --carrier attached` was told.

    Attributes:
        kubeconfig: The user's own.
        ssh_config: The user's own; None reaches all nodes by pods.
        context: Of the kubeconfig; None takes the current one.
        nodes: Which node plays which, as in `controlplane=cp-a,node01=w1`.
        namespace: Where scenarios live.
        mine: Whether snippets may stop programs on nodes, and change these.
    """

    kubeconfig: str
    ssh_config: str | None = None
    context: str | None = None
    nodes: str | None = None
    namespace: str = NAMESPACE
    mine: bool = False


class AttachedCarrier:
    """The nodes of a cluster that the lab did not make.

    Args:
        kept: What `lab up` has found out about it.
    """

    name = NAME
    recorded = None

    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept = kept
        self.folder = folder()
        self.namespace: str = kept["wish"]["namespace"]
        self.mine: bool = kept["wish"]["mine"]
        self.lacks: dict[str, str] = kept["lacks"]
        book, found = load_spec(), kept["spec"]
        nodes = tuple(NodeSpec(**node) for node in found["nodes"])
        self.spec = Spec(found["name"], Networks(**found["networks"]), nodes, book.versions, book.debian)

    @cached_property
    def fit(self) -> Fit:
        """What the book's values are there."""
        found = self.kept["fit"]
        return Fit(**{**found, "ports": {int(book): here for book, here in found["ports"].items()}})

    def fit_for(self, name: str | None) -> Fit:
        """The same while a scenario stands, whose pods' addresses may be known only since it does."""
        try:
            return self.fit.with_addresses(json.loads(self._addresses(name).read_text()))
        except FileNotFoundError:
            return self.fit

    def learn(self, name: str) -> None:
        """Remember which addresses the pods of a scenario were given, where they could not be asked for."""
        if not self.fit.fixed:
            found = probe.learned(Server(self.kubeconfig(), "the kubeconfig"), self.fit, name)
            self._addresses(name).write_text(json.dumps(found))

    def _addresses(self, name: str | None) -> Path:
        return self.folder / f"{name or ''}.addresses.json"

    @property
    def kube_proxy(self) -> bool:
        """Whether its Services are kube-proxy's, in whatever mode."""
        return bool(self.kept["proxy"])

    # --- nodes --------------------------------------------------------------

    @cached_property
    def _ways(self) -> dict[str, Way]:
        return {node: _way(node, found, self.namespace) for node, found in self.kept["ways"].items()}

    def _way(self, node: str) -> Way:
        self.spec.node(node)
        return self._ways[node]

    def ssh_command(self, node: str) -> list[str]:
        """The command line that runs a shell line as root on the node, its standard input and output connected."""
        way = self._way(node)
        if way.kind == ways.SSH and not way.connected():
            way.connect()
        return way.command()

    def login(self, node: str, words: Sequence[str], *, terminal: bool) -> list[str]:
        """The command line that opens a root shell on the node, or runs words there."""
        self.ssh_command(node)
        return self._way(node).shell(list(words), terminal=terminal)

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """Run a shell command on a node as root; see `lab.carriers.Carrier.execute`."""
        if node == self.spec.control_plane.name and "kubectl" in command:
            command = _KUBECTL.format(shlex.quote(self.namespace)) + command
        return send(self._way(node), command, timeout=timeout)

    def alive(self, node: str) -> bool:
        """Whether a node is reached."""
        return self._way(node).connected()

    def log(self, node: str) -> Path | None:
        """There is none."""
        return None

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The same command: the nodes' addresses answer from here, or they do not."""
        return [str(word) for word in command]

    def enter(self) -> None:
        """There is nothing to enter."""

    def kubeconfig(self) -> Path:
        """A copy of the chosen context, whose namespace is the lab's own."""
        return self.folder / "kubeconfig"

    def versions(self) -> dict[str, str]:
        """Versions as the API server and the node that plays controlplane told them."""
        return dict(self.kept["versions"])


def send(way: Way, command: str, *, timeout: float) -> Completed:
    """Run a shell command as root on the node that a way leads to.

    Raises:
        LabError: It is not reached.
    """
    line = f"timeout -k 1 {timeout:.0f} sh -c {shlex.quote(command)}"
    begun = time.monotonic()
    for again in (True, False):
        try:
            done = subprocess.run(
                [*way.command(), line], input="", capture_output=True, text=True, errors="replace",
                timeout=timeout + ways.CONNECT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(
                f"{way.node}: no answer within {timeout + ways.CONNECT:.0f} s", detail=command, hint="lab status"
            ) from None
        if not way.lost(done.returncode, done.stderr):
            return Completed(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
        if again:
            # It was gone before the command was sent; a reader's laptop may have slept.
            way.connect()
    raise LabError(
        f"{way.node}: the connection is lost", detail=done.stderr, hint="attach again: lab up --carrier attached"
    )


def _way(node: str, found: dict[str, Any], namespace: str) -> Way:
    if found["kind"] == ways.POD:
        return ways.Pod(node, found["pod"], namespace, state_dir() / "bin/kubectl", folder() / "kubeconfig")
    socket = runtime_dir() / f"{found['role']}.ssh"
    config = Path(found["config"])
    return ways.Ssh(node, found["host"], found["address"], config, socket, sudo=found["sudo"])


def folder() -> Path:
    """Where the lab keeps what it knows of the cluster."""
    return state_dir() / NAME


def _kept() -> dict[str, Any] | None:
    found = carriers.remembered()
    return found if found["carrier"] == NAME and "fit" in found else None


def running() -> AttachedCarrier:
    """The carrier of the cluster that is attached.

    Raises:
        LabError: None is.
    """
    kept = _kept()
    if kept is None:
        raise LabError(
            "no cluster of yours is attached", hint="lab up --carrier attached --kubeconfig FILE --ssh-config FILE"
        )
    return AttachedCarrier(kept)


# --- up -------------------------------------------------------------------------


def up(
    say: Report, *, kubeconfig: str | None = None, production: bool = False, yes: bool = False, **options: Any
) -> AttachedCarrier:
    """Attach a cluster: look at it, show what would be made, make it, and say what the book cannot show on it.

    Args:
        say: Told each step.
        kubeconfig: The user's own; None takes the one of last time.
        production: Go on though the context's name looks like production.
        yes: Make what is shown without asking.
        options: The other fields of `Wish`.

    Raises:
        LabError: Something is missing or refused; nothing was made then, or it is removed again.
    """
    if options.pop("fresh", False) or options.pop("workers", None):
        raise LabError("--fresh and --workers are for a cluster that the lab makes", hint="leave them away")
    wish = _wish(kubeconfig, options)
    before = _kept()
    if before and any(before["wish"][key] != getattr(wish, key) for key in ("kubeconfig", "context", "namespace")):
        say(f"leaving the cluster of {before['wish']['kubeconfig']} first")
        down(say)
        before = None
    attaching = _Attaching(wish, say)
    try:
        return attaching.go(production=production, yes=yes)
    except BaseException:
        if before is None:
            attaching.close()
            shutil.rmtree(folder(), ignore_errors=True)
        raise


def _wish(kubeconfig: str | None, options: dict[str, Any]) -> Wish:
    given = {key: value for key, value in options.items() if value and key in Wish.__dataclass_fields__}
    before = _kept()
    if kubeconfig is None and before is None:
        raise LabError(
            "which cluster? --carrier attached takes a kubeconfig",
            hint="lab up --carrier attached --kubeconfig ~/.kube/config --ssh-config FILE",
        )
    for key in ("kubeconfig", "ssh_config"):
        path = kubeconfig if key == "kubeconfig" else given.get(key)
        if path is not None:
            given[key] = str(Path(path).expanduser().absolute())
    old = before["wish"] if before else {}
    # What was said the last time about the same cluster need not be said again.
    same = old if given.get("kubeconfig", old.get("kubeconfig")) == old.get("kubeconfig") else {}
    return Wish(**{**same, **given})


class _Attaching:
    """The steps of `up`."""

    def __init__(self, wish: Wish, say: Report) -> None:
        self._wish, self._say = wish, say
        self._book = load_spec()
        self._made = False
        self._ways: dict[str, Way] = {}

    def close(self) -> None:
        """End the connections."""
        for way in self._ways.values():
            way.close()

    def go(self, *, production: bool, yes: bool) -> AttachedCarrier:
        """All steps in turn."""
        wish = self._wish
        context = kubeconfigs.load(Path(wish.kubeconfig), wish.context)
        name = kubeconfigs.looks_like_production(context)
        if name and not production:
            raise LabError(
                f"{name!r} looks like production: the lab stays away from it",
                hint="take another one with --context NAME, or say --even-production if the name is wrong",
            )
        context.write(folder() / "kubeconfig", wish.namespace)
        self._server = Server(folder() / "kubeconfig", wish.kubeconfig)
        version = str((self._server.get("/version") or {}).get("gitVersion", ""))
        found = self._namespace()
        require_rights(self._server, wish.namespace, [*RIGHTS, *([] if found else OWN_NAMESPACE)])
        nodes = self._server.items("/api/v1/nodes")
        cast = casting.choose(nodes, wish.nodes, self._book)
        self._find_ways(cast)
        self._facts = probe.facts(self._server, cast, nodes, wish.namespace)
        for line in self._plan(context, version, own=not found):
            self._say(line)
        _confirm(yes)
        try:
            self._make(own=not found)
            return self._examine(version, own=not found)
        except BaseException:
            with suppress(LabError):
                _unmake(self._server, wish.namespace, self._pods(), own=not found and self._made)
            self.close()
            shutil.rmtree(folder(), ignore_errors=True)
            carriers.forget()
            raise

    def _namespace(self) -> bool:
        """Whether the namespace is another's, and so neither made nor removed."""
        name = self._wish.namespace
        status, found = self._server.ask("GET", f"/api/v1/namespaces/{name}")
        if status == 403 and name != NAMESPACE:
            return True  # whoever names it knows that it is there
        if status != 200:
            return False
        ours = LABELS.items() <= (found["metadata"].get("labels") or {}).items()
        if not ours and name == NAMESPACE:
            raise LabError(
                f"the cluster has a namespace {name!r} that the lab did not make",
                hint="name another one: --namespace NAME",
            )
        return not ours

    def _find_ways(self, cast: dict[str, Object]) -> None:
        """By ssh where the ssh config names a node, else by a pod."""
        config = Path(self._wish.ssh_config) if self._wish.ssh_config else None
        patterns = ways.hosts(config) if config else []
        self._found: dict[str, dict[str, Any]] = {}
        for role, node in cast.items():
            name, place = str(node["metadata"]["name"]), casting.address(node)
            host = ways.host_of(name, place, patterns)
            found: dict[str, Any] = {"kind": ways.POD, "role": role, "pod": f"node-{role}"}
            if config and host:
                found = {"kind": ways.SSH, "role": role, "host": host, "address": place}
                found |= {"config": str(config), "sudo": False}
            way = _way(name, found, self._wish.namespace)
            self._found[name], self._ways[name] = found, way
            if isinstance(way, ways.Ssh):
                way.connect()
                found["sudo"] = way.sudo
        _kubectl(needed=bool(self._pods()))

    def _pods(self) -> list[str]:
        return [found["pod"] for found in self._found.values() if found["kind"] == ways.POD]

    def _plan(self, context: kubeconfigs.Context, version: str, *, own: bool) -> list[str]:
        """What would be made, line by line."""
        wish, images = self._wish, _images()
        lines = [f"the cluster of context {context.name}, {context.server}, Kubernetes {version}:"]
        for role in self._book.nodes:
            node = self._facts.cast[role.name]
            name, how = node["metadata"]["name"], self._found[node["metadata"]["name"]]["kind"]
            by = "ssh" if how == ways.SSH else "a privileged pod"
            lines.append(f"  {name} ({casting.address(node)}) plays {role.name}, reached by {by}")
        lines.append("made now, and removed by `lab down`:")
        lines += [f"  Namespace {wish.namespace}"] if own else []
        lines += [f"  Pod {wish.namespace}/{pod}: privileged, sees all processes of its node" for pod in self._pods()]
        lines += [] if own or self._pods() else ["  nothing"]
        lines.append(f"made in namespace {wish.namespace} for each snippet that needs it, and removed after it:")
        kinds = [item["kind"] for name in scenario.names() for item in scenario.load(name).objects]
        each = ", ".join(sorted(set(kinds)))
        lines.append(f"  objects of the kinds {each}, a dozen at a time at most")
        for image in images:
            there = image in self._facts.images
            lines.append(f"  from the image {image}, which " + ("the nodes have" if there else "the nodes fetch"))
        if wish.mine:
            lines.append("on nodes: snippets may stop programs, and change routes and rules; each undoes it (--mine)")
        lines.append("elsewhere nothing is changed; nodes, pods, Services and Calico's settings are read")
        return lines

    def _make(self, *, own: bool) -> None:
        name = self._wish.namespace
        if own:
            metadata = {"name": name, "labels": {**LABELS, **PRIVILEGED}}
            if self._server.get(f"/api/v1/namespaces/{name}") is None:
                self._server.make("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            self._made = True
        for node, found in self._found.items():
            path = f"/api/v1/namespaces/{name}/pods"
            if found["kind"] == ways.POD and self._server.get(f"{path}/{found['pod']}") is None:
                self._server.make(path, ways.pod(found["pod"], node, name, _images()[0], LABELS))
        for pod in self._pods():
            self._await(pod)

    def _await(self, pod: str) -> None:
        path, end = f"/api/v1/namespaces/{self._wish.namespace}/pods/{pod}", time.monotonic() + GONE
        while True:
            found = self._server.get(path) or {}
            status = (found.get("status", {}).get("containerStatuses") or [{}])[0]
            if status.get("ready"):
                return
            waiting = status.get("state", {}).get("waiting") or {}
            if time.monotonic() > end or waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff"):
                why = f"{waiting.get('reason', found.get('status', {}).get('phase', 'gone'))}: "
                raise LabError(
                    f"the pod {pod} does not start on {found.get('spec', {}).get('nodeName', 'its node')}",
                    detail=why + str(waiting.get("message", "")),
                    hint="name the node in an ssh config instead: --ssh-config FILE",
                )
            time.sleep(0.5)

    def _examine(self, version: str, *, own: bool) -> AttachedCarrier:
        wish, facts = self._wish, self._facts
        control = str(facts.cast[self._book.control_plane.name]["metadata"]["name"])

        def ask(node: str, line: str) -> Completed:
            prefix = _KUBECTL.format(shlex.quote(wish.namespace)) if node == control else ""
            return send(self._ways[node], prefix + line, timeout=30)

        seen = probe.look(list(self._ways), ask, wish.namespace)
        spec = casting.spec(facts.cast, self._book, pods=facts.pods, services=facts.services, dns=facts.dns)
        fit = probe.fit(facts, seen[control].gateway, self._book, wish.namespace)
        missing = probe.lacks(facts, seen, spec, fit, mine=wish.mine)
        carriers.remember(
            NAME,
            wish=asdict(wish),
            own=own,
            ways=self._found,
            spec={"name": spec.name, "networks": asdict(spec.networks), "nodes": [asdict(node) for node in spec.nodes]},
            fit={key: getattr(fit, key) for key in Fit.__dataclass_fields__},
            lacks=missing,
            proxy=seen[control].proxy,
            versions=_versions(facts.cast[self._book.control_plane.name], version, seen[control].iptables),
            since=time.time(),
        )
        snippets = discover()
        for line in needs.told(needs.skipped(snippets, missing), len(snippets)):
            self._say(line)
        self._say("the cluster is attached")
        return running()


def _confirm(yes: bool) -> None:
    import click

    if yes:
        return
    if not sys.stdin.isatty():
        raise LabError("nothing was made: nobody is there to be asked", hint="say --yes to make what is shown above")
    if not click.confirm("make this?", err=True):
        raise LabError("nothing was made", hint="look around first: kubectl get nodes -o wide")


def _images() -> list[str]:
    """The images of all scenarios."""
    found = [
        container["image"]
        for name in scenario.names()
        for item in scenario.load(name).objects
        for container in item.get("spec", {}).get("containers") or []
    ]
    return list(dict.fromkeys(found))


def _kubectl(*, needed: bool) -> None:
    """Find a kubectl for this host, and put it where `lab kubectl` and `lab shell` look.

    Raises:
        LabError: It is needed, and there is none.
    """
    from lab.bringup import programs
    from lab.image.steps import all_steps, default_store

    place, own, store = state_dir() / "bin/kubectl", shutil.which("kubectl"), default_store()
    built = {step.name: store.path(step) for step in all_steps(load_spec(), store) if store.path(step).exists()}
    if place.exists():
        return
    if {"kubernetes", "calico"} <= built.keys():
        programs(built)
    elif own:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(own)
    elif needed:
        raise LabError(
            "nodes without ssh are entered by kubectl, and this host has none",
            hint="install it, or take the book's own: lab build",
        )


def _versions(node: Object, version: str, iptables: str) -> dict[str, str]:
    info = node.get("status", {}).get("nodeInfo", {})
    names = [name for image in node.get("status", {}).get("images") or [] for name in image.get("names") or []]
    calico = next((name.rpartition(":")[2] for name in names if "calico/node:" in name), "")
    found = {
        "kubernetes": str(info.get("kubeletVersion", version)),
        "calico": calico,
        "containerd": str(info.get("containerRuntimeVersion", "")).removeprefix("containerd://"),
        "iptables": iptables,
        "linux": str(info.get("kernelVersion", "")),
    }
    return {name: value for name, value in found.items() if value}


# --- down, status ----------------------------------------------------------------


def down(say: Report) -> None:
    """Remove what the lab made in the cluster, and forget it.

    Raises:
        LabError: The API server does not let it.
    """
    kept = _kept()
    if kept is None:
        shutil.rmtree(folder(), ignore_errors=True)
        say("no cluster is attached")
        return
    carrier = AttachedCarrier(kept)
    server = Server(carrier.kubeconfig(), kept["wish"]["kubeconfig"])
    if not kept["own"]:
        for name in scenario.reset(carrier):
            say(f"deleted {name}")
    pods = [found["pod"] for found in kept["ways"].values() if found["kind"] == ways.POD]
    _unmake(server, carrier.namespace, pods, own=kept["own"])
    _leave(kept)
    say("the cluster is left as it was found: what the lab had made there is gone")


def _unmake(server: Server, namespace: str, pods: list[str], *, own: bool) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    paths = [path] if own else [f"{path}/pods/{pod}" for pod in pods]
    for each in paths:
        server.delete(each)
    end = time.monotonic() + GONE
    while left := [each for each in paths if server.get(each) is not None]:
        if time.monotonic() > end:
            raise LabError(
                f"{left[0]} is still there after {GONE:g} s",
                hint=f"what holds it? kubectl get namespace {namespace} -o yaml",
            )
        time.sleep(0.5)


def _leave(kept: dict[str, Any]) -> None:
    """Close the connections, and remove what this checkout knows of the cluster."""
    for node, found in kept["ways"].items():
        _way(node, found, kept["wish"]["namespace"]).close()
    shutil.rmtree(folder(), ignore_errors=True)
    shutil.rmtree(runtime_dir(), ignore_errors=True)
    carriers.forget()


def delete(say: Report) -> None:
    """The same, also when the cluster does not answer any more: then this says what may be left there."""
    kept = _kept()
    try:
        down(say)
    except LabError as error:
        if kept is None:
            raise
        say(str(error))
        what = f"kubectl delete namespace {kept['wish']['namespace']}"
        say(f"forgotten here; in the cluster may be left what this removes: {what if kept['own'] else 'lab reset'}")
        _leave(kept)


def status() -> dict[str, Any]:
    """What `lab status` tells: carrier, phase, age and the nodes."""
    kept = _kept()
    if kept is None:
        return {"carrier": NAME, "phase": "no cluster is attached", "nodes": []}
    carrier = AttachedCarrier(kept)
    with ThreadPoolExecutor(len(carrier.spec.nodes)) as pool:
        alive = list(pool.map(lambda node: carrier.alive(node.name), carrier.spec.nodes))
    nodes = [
        {
            "name": node.name,
            "role": f"plays {role.name}" if role.name != node.name else node.role,
            "address": node.address,
            "kernel": f"reached by {kept['ways'][node.name]['kind']}" if there else "not reached (try: lab up)",
        }
        for node, role, there in zip(carrier.spec.nodes, load_spec().nodes, alive, strict=True)
    ]
    return {
        "carrier": NAME,
        "phase": "ready" if all(alive) else "not all nodes are reached",
        "age_seconds": round(time.time() - kept["since"]),
        "nodes": nodes,
        "namespace": carrier.namespace,
        "versions": carrier.versions(),
    }
