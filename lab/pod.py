"""A pod of the cluster, as snippets see it: run a command in it, read its own network."""

import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab import carriers
from lab.api import Object
from lab.capture import Step
from lab.carriers import Completed
from lab.errors import LabError
from lab.node import CONSOLE, TIMED_OUT, CommandError, CommandResult, Node

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

    from lab.cluster import Cluster
    from lab.netlink import Address, Link, Neighbour, Netlink, Route

_STDOUT, _STDERR, _ERROR = 1, 2, 3


class Pod:
    """One pod.

    Attributes:
        name: As in `kubectl get pods`.
        namespace: The namespace that it is in.
    """

    def __init__(self, name: str, namespace: str, cluster: "Cluster") -> None:
        self.name = name
        self.namespace = namespace
        self._cluster = cluster

    def __repr__(self) -> str:
        return f"Pod({self.namespace}/{self.name})"

    @cached_property
    def node(self) -> Node:
        """The node that it runs on.

        Raises:
            LabError: There is no such pod, or it is not on a node yet.
        """
        name = self._object.get("spec", {}).get("nodeName")
        if not name:
            raise LabError(
                f"pod {self.namespace}/{self.name} is not on a node yet",
                hint=f"see `lab kubectl -- -n {self.namespace} describe pod {self.name}`",
            )
        return self._cluster.node(str(name))

    @cached_property
    def address(self) -> str:
        """Its IPv4 address.

        Raises:
            LabError: There is no such pod, or it has no address yet.
        """
        address = self._object.get("status", {}).get("podIP")
        if not address:
            raise LabError(
                f"pod {self.namespace}/{self.name} has no address yet",
                hint=f"see `lab kubectl -- -n {self.namespace} describe pod {self.name}`",
            )
        return str(address)

    @cached_property
    def pid(self) -> int:
        """Number of its first container's first process, on its node.

        Raises:
            LabError: No container of it runs.
        """
        statuses = self._object.get("status", {}).get("containerStatuses") or [{}]
        container = str(statuses[0].get("containerID") or "").partition("://")[2]
        if container:
            # Every process names its container in its cgroup, whatever the runtime is.
            found = self.node.ask(f"grep -ls {container} /proc/[0-9]*/cgroup").stdout.splitlines()
            if found:
                return min(int(line.split("/")[2]) for line in found)
        raise LabError(
            f"no container of pod {self.namespace}/{self.name} runs",
            hint=f"see `lab kubectl -- -n {self.namespace} describe pod {self.name}`",
        )

    def run(self, command: str, *, status: int = 0, timeout: float = 30.0) -> CommandResult:
        """Run a shell command in the first container, show it and its output, and return what it printed.

        Args:
            command: The line as a reader would type it at the pod's prompt.
            status: The exit status that means success.
            timeout: Seconds before this gives up.

        Raises:
            CommandError: The command ended with another status.
            LabError: The pod or its shell could not be reached.
        """
        node = self.node.name
        CONSOLE.announce(f"{node}/{self.name}", command)
        done = self._execute(command, timeout=timeout)
        words = (node, command, done.status, done.stdout, done.stderr, done.seconds)
        step = Step(*words, pod=self.name, namespace=self._elsewhere)
        CONSOLE.finish(step)
        result = CommandResult(step.prompt, command, done.status, done.stdout, done.stderr, done.seconds)
        if done.status != status:
            raise CommandError(result, expected=status, timeout=timeout)
        return result

    def _execute(self, command: str, *, timeout: float) -> Completed:
        recorded = self._cluster.carrier.recorded
        if recorded is not None:
            return Completed(**recorded.recall("command", self._place, command))
        namespace = self._cluster.place(self.namespace)
        limit = timeout * carriers.patience()
        return execute(self._cluster.core, namespace, self.name, self._container, command, timeout=limit)

    @property
    def _elsewhere(self) -> str | None:
        """Its namespace, when it must be named to tell the pod apart."""
        return self.namespace if self.namespace != "default" else None

    @property
    def _place(self) -> str:
        """As `Step.place` has it."""
        return "/".join(filter(None, (self.node.name, self._elsewhere, self.name)))

    def routes(self, table: str | int = "main") -> list["Route"]:
        """The IPv4 routes in its network namespace."""
        return self._netlink.routes(table)

    def links(self) -> list["Link"]:
        """The interfaces in its network namespace."""
        return self._netlink.links()

    def addresses(self) -> list["Address"]:
        """The IPv4 addresses in its network namespace."""
        return self._netlink.addresses()

    def neighbours(self) -> list["Neighbour"]:
        """The IPv4 neighbours (ARP) in its network namespace."""
        return self._netlink.neighbours()

    @cached_property
    def _netlink(self) -> "Netlink":
        return self.node.netlink_of(self.pid, self._place)

    @cached_property
    def _container(self) -> str:
        return str(self._object["spec"]["containers"][0]["name"])

    @cached_property
    def _object(self) -> Object:
        found = self._cluster.read(f"/api/v1/namespaces/{self.namespace}/pods/{self.name}")
        if found is None:
            raise LabError(
                f"there is no pod {self.name!r} in namespace {self.namespace!r}",
                hint='does the snippet call cluster.needs("...") with the scenario that makes it?',
            )
        return found


def execute(core: "CoreV1Api", namespace: str, pod: str, container: str, command: str, *, timeout: float) -> Completed:
    """Run `sh -c command` in a container through the API server.

    Args:
        core: The client to use.
        namespace: The pod's namespace.
        pod: The pod's name.
        container: The container's name.
        command: A line for the container's shell.
        timeout: Seconds before this gives up; the status is 124 then, and the command may run on.

    Raises:
        LabError: The API server refused, or the connection broke.
    """
    from kubernetes.client import ApiException
    from kubernetes.stream import stream
    from websocket import WebSocketException

    begun = time.monotonic()
    where = f"{namespace}/{pod}"
    try:
        # Bytes, because a character may be cut in two between messages.
        client: Any = stream(
            core.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            container=container,
            command=["sh", "-c", command],
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
        )
    except ApiException as error:
        raise LabError(
            f"pod {where}: `{command}` could not be started",
            detail=str(error.reason).splitlines()[0] if error.reason else "",
            hint=f"is it Running? see `lab kubectl -- -n {namespace} get pod {pod}`",
        ) from None
    try:
        while client.is_open() and (left := begun + timeout - time.monotonic()) > 0:
            client.update(timeout=left)
    except (OSError, WebSocketException) as error:
        raise LabError(f"pod {where}: the connection broke during `{command}`", detail=str(error)) from None
    finally:
        late = client.is_open()
        client.close(timeout=0.5)
        # After the server's goodbye the client would leave its socket open.
        client.sock.shutdown()
    out, err, verdict = (bytes(client.read_channel(channel)) for channel in (_STDOUT, _STDERR, _ERROR))
    status = TIMED_OUT if late else _status(verdict, where, command)
    return Completed(status, out.decode(errors="replace"), err.decode(errors="replace"), time.monotonic() - begun)


def _status(verdict: bytes, where: str, command: str) -> int:
    """The exit status in the API server's last word."""
    try:
        word = json.loads(verdict)
    except ValueError:
        raise LabError(f"pod {where}: `{command}` ended without an exit status") from None
    if word.get("status") == "Success":
        return 0
    for cause in word.get("details", {}).get("causes", []):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise LabError(f"pod {where}: `{command}` could not run", detail=str(word.get("message", "")))
