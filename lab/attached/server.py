"""Plain questions to the API server of your own cluster, each with one clear message when it cannot be asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.api import Object
from lab.errors import LabError

TIMEOUT = 20.0
"""Seconds that one question may take; an API server that stands on a busy laptop takes its time."""


class Server:
    """The API server that a kubeconfig leads to.

    Args:
        kubeconfig: With one context.
        shown: How to call the kubeconfig in a message.
    """

    def __init__(self, kubeconfig: Path, shown: str) -> None:
        from kubernetes import config

        self._shown = shown
        new_client: Callable[..., Any] = config.new_client_from_config
        try:
            self._api = new_client(config_file=str(kubeconfig), persist_config=False)
        except (config.ConfigException, OSError, ValueError) as error:
            raise LabError(
                f"{shown} cannot be used", detail=str(error), hint="does kubectl take it? kubectl get nodes"
            ) from None
        # One try: who asks here waits for the answer.
        self._api.rest_client.pool_manager.connection_pool_kw["retries"] = False

    def ask(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        """Status and body of an answer, whatever the status is.

        Raises:
            LabError: The server does not answer, or does not know the user.
        """
        from urllib3.exceptions import HTTPError

        path, _, query = path.partition("?")
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
        try:
            request = self._api.param_serialize(
                method, path, query_params=pairs, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            reply = self._api.call_api(*request, _request_timeout=TIMEOUT)
            data = reply.read()
        except (HTTPError, OSError) as error:
            host = self._api.configuration.host
            raise LabError(
                f"the API server {host} does not answer",
                detail=_reason(error),
                hint=f"is it up, and reached from here? curl -k --max-time 5 {host}/livez",
            ) from None
        if reply.status == 401:
            raise LabError(
                f"the API server does not accept the user of {self._shown} (401)",
                hint="a certificate or token that ran out? kubectl auth whoami",
            )
        try:
            found = json.loads(data)
        except ValueError:
            found = {}
        return int(reply.status), found if isinstance(found, dict) else {}

    def get(self, path: str) -> Object | None:
        """An object or list; None when there is none.

        Raises:
            LabError: The server refused or does not answer.
        """
        status, body = self.ask("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise LabError(f"reading {path}: the API server answered {status}", detail=str(body.get("message", "")))
        return body

    def items(self, path: str) -> list[Object]:
        """The objects of a list; none where the cluster does not know that kind, or does not let it be read."""
        status, body = self.ask("GET", path)
        return list(body.get("items") or []) if status == 200 else []

    def make(self, path: str, item: Object) -> None:
        """Create an object.

        Raises:
            LabError: The server refused.
        """
        status, body = self.ask("POST", path, item)
        if status not in (200, 201):
            name = f"{item['kind']} {item['metadata']['name']}"
            raise LabError(
                f"{name} could not be made: the API server answered {status}",
                detail=str(body.get("message", "")),
                hint="lab down, then again: lab up --carrier attached",
            )

    def delete(self, path: str) -> None:
        """Begin to delete an object; none there does no harm.

        Raises:
            LabError: The server refused.
        """
        status, body = self.ask("DELETE", path)
        if status not in (200, 202, 404):
            raise LabError(f"deleting {path}: the API server answered {status}", detail=str(body.get("message", "")))


def _reason(error: Exception) -> str:
    """The last of the client's nested words, which say what happened."""
    return str(getattr(error, "reason", None) or error).split(">: ")[-1].removesuffix("'))")


@dataclass(frozen=True)
class Right:
    """Something that the lab does in your cluster.

    Attributes:
        verb: As in `kubectl auth can-i`.
        resource: With its group, such as `deployments.apps`.
        own: Only in the lab's own namespace.
        why: What it is needed for.
    """

    verb: str
    resource: str
    own: bool
    why: str

    def words(self, namespace: str) -> str:
        """As `kubectl auth can-i` takes it."""
        return f"{self.verb} {self.resource}" + (f" --namespace {namespace}" if self.own else "")


_MAKES = [
    Right(verb, resource, True, "what snippets need is made there, and removed again")
    for resource in ("pods", "services", "endpointslices.discovery.k8s.io", "networkpolicies.networking.k8s.io")
    for verb in ("get", "list", "create", "patch", "delete")
]
RIGHTS = [
    Right("list", "nodes", False, "which nodes there are, and their addresses"),
    Right("list", "pods", False, "which pod addresses are taken"),
    Right("list", "services", False, "which ClusterIPs and node ports are taken"),
    *_MAKES,
    Right("create", "pods/exec", True, "commands run in pods"),
    Right("get", "pods/exec", True, "commands run in pods"),
    Right("list", "events", True, "why a pod does not start"),
]
OWN_NAMESPACE = [
    Right("get", "namespaces", False, "is the lab's namespace there"),
    Right("create", "namespaces", False, "everything is made in a namespace of the lab's own"),
    Right("delete", "namespaces", False, "and is removed with it"),
]


def require_rights(server: Server, namespace: str, rights: list[Right]) -> None:
    """Ask the API server whether this user may do what the lab does.

    Raises:
        LabError: Something is not allowed; names all of it.
    """
    missing = [right for right in rights if not _may(server, namespace, right)]
    if missing:
        raise LabError(
            f"this kubeconfig lacks {len(missing)} right{'s' if len(missing) > 1 else ''}; nothing was made",
            detail="\n".join(f"may not {right.words(namespace)}: {right.why}" for right in missing),
            hint=f"take another context, or ask for them; look again: kubectl auth can-i {missing[0].words(namespace)}",
        )


def _may(server: Server, namespace: str, right: Right) -> bool:
    name, _, group = right.resource.partition(".")
    resource, _, sub = name.partition("/")
    attributes = {"verb": right.verb, "resource": resource, "subresource": sub, "group": group}
    attributes["namespace"] = namespace if right.own else ""
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    _, body = server.ask("POST", path, {**review, "spec": {"resourceAttributes": attributes}})
    return bool((body.get("status") or {}).get("allowed"))
