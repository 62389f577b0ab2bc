"""The API server: a client with time limits, failures as one clear message, and objects as plain dicts."""

import json
import tempfile
from collections.abc import Callable, Iterator
from http.client import responses
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from lab import carriers
from lab.capture import Recorded, answer
from lab.carriers import Carrier, own_cluster
from lab.errors import LabError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, ApiException

REQUEST_TIMEOUT = 30.0
"""Seconds that one request to the API server may take."""

KEPT_OUT = "<secret>"
"""Stands in place of each value of a Secret: snippets never see one, so that no record can hold one."""

Object = dict[str, Any]


class Api(Protocol):
    """The few questions that scenarios ask the API server; objects are plain dicts."""

    def apply(self, item: Object) -> None:
        """Create or change an object."""

    def get(self, item: Object) -> Object | None:
        """The object as it is now, or None."""

    def delete(self, item: Object) -> None:
        """Begin to delete an object; none of that name does no harm."""

    def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """The objects of a kind in a namespace whose labels match."""

    def labelled(self, selector: str) -> list[Object]:
        """The objects of all kinds in all namespaces whose labels match, without those that others own."""


def title(item: Object) -> str:
    """An object's name for people: `Pod default/pod2`."""
    metadata = item["metadata"]
    namespace = metadata.get("namespace")
    return f"{item['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def api_client(carrier: Carrier) -> "ApiClient":
    """A client of the lab's API server, with a time limit on every request.

    Raises:
        LabError: The kubeconfig cannot be read.
    """
    from kubernetes import config

    new_client: Callable[..., ApiClient] = config.new_client_from_config
    try:
        path = carrier.kubeconfig()
        api = new_client(config_file=str(path), persist_config=False)
    except (config.ConfigException, OSError) as error:
        raise LabError("the lab's kubeconfig cannot be used", detail=str(error), hint="lab status") from None
    send: Callable[..., Any] = api.rest_client.request

    def request(*args: Any, _request_timeout: Any = None, **kwargs: Any) -> Any:
        return send(*args, _request_timeout=_request_timeout or REQUEST_TIMEOUT * carriers.patience(), **kwargs)

    # The client has no default of its own and would wait for ever.
    setattr(api.rest_client, "request", request)  # noqa: B010, mypy refuses a plain assignment
    return api


def recorded_client(carrier: Carrier) -> "ApiClient":
    """A client for snippets: what the API server answers is put on record, and on replay recalled.

    In both cases a snippet sees the recorded form: without the bookkeeping of
    field managers, and without the values of Secrets. Watches go past the record.

    Raises:
        LabError: The kubeconfig cannot be read.
    """
    from kubernetes.client import ApiClient, Configuration

    recorded = carrier.recorded
    api = api_client(carrier) if recorded is None else ApiClient(Configuration(host="http://replay"))
    own = own_cluster(carrier)
    send: Callable[..., Any] = api.rest_client.request

    def request(method: str, url: str, **more: Any) -> Any:
        if own:
            # Snippets say `default` to the client; on your own cluster the scenario lives elsewhere.
            url = url.replace("/namespaces/default/", f"/namespaces/{own.namespace}/")
        address = urlsplit(url)
        question = f"{address.path}?{address.query}" if address.query else address.path
        if recorded is None and ("watch=true" in address.query or "follow=true" in address.query):
            return send(method, url, **more)
        reply = answer(recorded, "api", "", f"{method} {question}", lambda: _reply(send(method, url, **more)))
        return _response(reply)

    setattr(api.rest_client, "request", request)  # noqa: B010, mypy refuses a plain assignment
    return api


def read(recorded: Recorded | None, client: "Callable[[], ApiClient]", path: str) -> Object | None:
    """One object as a plain dict; on replay without loading the client, which takes longer than all the rest.

    Args:
        recorded: Answers that stand in for the API server.
        client: Gives the client to ask with otherwise, as `recorded_client` made it.
        path: Where the object is, such as `/api/v1/nodes/node01`.

    Returns:
        The object, or None when there is none.

    Raises:
        LabError: The API server refused or does not answer.
    """
    reply = recorded.recall("api", "", f"GET {path}") if recorded is not None else _get(client(), path)
    if reply["status"] == 404:
        return None
    if reply["status"] >= 300:
        raise _refused(reply["status"], reply.get("body"), f"reading {path}")
    return dict(reply["body"])


def _get(client: "ApiClient", path: str) -> Object:
    from urllib3.exceptions import HTTPError

    request: Callable[..., Any] = client.param_serialize
    send: Callable[..., Any] = client.call_api
    try:
        accept = {"Accept": "application/json"}
        return _reply(send(*request("GET", path, header_params=accept, auth_settings=["BearerToken"])))
    except (HTTPError, OSError) as error:
        raise LabError(
            f"reading {path}: the API server does not answer", detail=str(error), hint="lab status"
        ) from None


def _reply(response: Any) -> Object:
    """What is kept of an answer: its status, and its body as JSON or else as text."""
    text = response.read().decode(errors="replace")
    try:
        return {"status": response.status, "body": _kept(json.loads(text))}
    except ValueError:
        return {"status": response.status, "text": text}


def _kept(body: Any, kind: str = "") -> Any:
    """An object or list as it is recorded; an item of a list does not say itself of which kind it is."""
    if not isinstance(body, dict):
        return body
    kind = str(body.get("kind") or kind)
    if isinstance(body.get("items"), list):
        return {**body, "items": [_kept(item, kind.removesuffix("List")) for item in body["items"]]}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        body = {**body, "metadata": _without(metadata, "managedFields")}
    return _secret_kept_out(body) if kind == "Secret" else body


def _secret_kept_out(secret: Object) -> Object:
    """A Secret with its keys and without their values, which its annotation repeats."""
    metadata = dict(secret.get("metadata") or {})
    notes = _without(metadata.get("annotations") or {}, "kubectl.kubernetes.io/last-applied-configuration")
    hidden: Object = {
        name: dict.fromkeys(secret[name] or {}, KEPT_OUT) for name in ("data", "stringData") if name in secret
    }
    return {**secret, **hidden, "metadata": {**metadata, "annotations": notes}}


def _without(mapping: Object, key: str) -> Object:
    return {name: value for name, value in mapping.items() if name != key}


def _response(reply: Object) -> Any:
    """An answer as the client's own transport gives it."""
    from kubernetes.client.rest import RESTResponse
    from urllib3 import HTTPResponse

    is_json = "body" in reply
    text = json.dumps(reply["body"]) if is_json else str(reply["text"])
    new_response: Callable[..., Any] = RESTResponse
    return new_response(
        HTTPResponse(
            body=text.encode(),
            headers={"Content-Type": "application/json" if is_json else "text/plain"},
            status=reply["status"],
            reason=responses.get(reply["status"], ""),
        )
    )


def api_failure(error: "ApiException", what: str) -> LabError:
    """What the API server refused, in one line instead of the client's forty."""
    try:
        body = json.loads(error.body or "")
    except (ValueError, TypeError):
        body = None
    return _refused(error.status, body, what, error.reason)


def _refused(status: int | None, body: Any, what: str, reason: str | None = None) -> LabError:
    reason = reason or responses.get(status or 0, "")
    return LabError(
        f"{what}: the API server answered {status} {reason}".rstrip(),
        detail=str(body.get("message", "")) if isinstance(body, dict) else "",
        hint="" if status else "is the lab up? see `lab status`",
    )


class KubernetesApi:
    """The `kubernetes` package's dynamic client, which takes objects of every kind as they are written."""

    _FIELD_MANAGER = "living-book"

    def __init__(self, carrier: Carrier) -> None:
        from kubernetes import dynamic

        carrier.enter()
        self._own = own_cluster(carrier)
        self._api = api_client(carrier)
        # The client's own cache file is named after the server's address, and this
        # address outlives clusters: take a new file in a folder of our own.
        self._folder = tempfile.TemporaryDirectory(prefix="living-book-")
        new_client: Callable[..., Any] = dynamic.DynamicClient
        try:
            self._client: Any = self._call(
                "reading what the API server offers",
                lambda: new_client(self._api, cache_file=f"{self._folder.name}/discovery.json"),
            )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections and drop the folder."""
        self._api.rest_client.pool_manager.clear()
        self._folder.cleanup()

    def apply(self, item: Object) -> None:
        """Create or change an object, whoever changed it before."""
        self._call(
            f"applying {title(item)}",
            lambda: self._resource(item).server_side_apply(
                body=item,
                namespace=self._namespace(item),
                field_manager=self._FIELD_MANAGER,
                force_conflicts=True,
            ),
        )

    def get(self, item: Object) -> Object | None:
        """The object as it is now, or None."""
        found = self._call(
            f"reading {title(item)}",
            lambda: self._resource(item).get(name=item["metadata"]["name"], namespace=self._namespace(item)),
            missing=True,
        )
        return None if found is None else dict(found.to_dict())

    def delete(self, item: Object) -> None:
        """Begin to delete an object and what it owns; a pod gets one second to end."""
        self._call(
            f"deleting {title(item)}",
            lambda: self._resource(item).delete(
                name=item["metadata"]["name"],
                namespace=self._namespace(item),
                propagation_policy="Background",
                grace_period_seconds=1 if item["kind"] == "Pod" else None,
            ),
            missing=True,
        )

    def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """The objects of a kind in a namespace whose labels match."""
        resource = self._resource({"apiVersion": api_version, "kind": kind, "metadata": {"name": "*"}})
        found = self._call(
            f"listing {kind} in {namespace}",
            lambda: resource.get(namespace=namespace, label_selector=selector or None),
        )
        return list(found.to_dict().get("items") or [])

    def labelled(self, selector: str) -> list[Object]:
        """The objects of all kinds in all namespaces whose labels match, without those that others own."""
        found: list[Object] = []
        where = self._own.namespace if self._own else None
        for resource in self._kinds():
            answer = self._call(
                f"listing {resource.kind}", lambda r=resource: r.get(namespace=where, label_selector=selector)
            )
            for item in answer.to_dict().get("items") or []:
                if not item["metadata"].get("ownerReferences"):
                    kind = {"apiVersion": resource.group_version, "kind": resource.kind}
                    found.append({**item, **kind})
        # Namespaces first, so that they are deleted last.
        return sorted(found, key=lambda item: (item["kind"] != "Namespace", title(item)))

    def _kinds(self) -> Iterator[Any]:
        """One resource for each kind that can be listed and deleted."""
        from lab.objects import OF_SCENARIOS

        seen = set()
        for resource in self._call("reading what the API server offers", self._client.resources.search):
            verbs = getattr(resource, "verbs", None) or []
            known = (resource.group, resource.kind)
            # Endpoints copy the labels of their Service without being owned by it.
            skip = resource.kind.endswith("List") or resource.kind in ("Endpoints", "Event") or known in seen
            # On a cluster of others', the lab looks only for what it makes itself.
            skip |= self._own is not None and known not in OF_SCENARIOS
            if not skip and resource.preferred and {"list", "delete"} <= set(verbs):
                seen.add(known)
                yield resource

    def _resource(self, item: Object) -> Any:
        return self._call(
            f"{item['kind']} in {item['apiVersion']}",
            lambda: self._client.resources.get(
                # Without the prefix the client would read the offer of every group first.
                prefix="apis" if "/" in item["apiVersion"] else "api",
                api_version=item["apiVersion"],
                kind=item["kind"],
            ),
        )

    def _namespace(self, item: Object) -> str | None:
        if not self._resource(item).namespaced:
            return None
        return str(item["metadata"].get("namespace", "default"))

    def _call(self, what: str, request: Any, *, missing: bool = False) -> Any:
        """The one place where requests leave; every failure becomes a LabError."""
        from kubernetes.client import ApiException
        from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError
        from urllib3.exceptions import HTTPError

        try:
            return request()
        except ApiException as error:
            if missing and error.status == 404:
                return None
            raise api_failure(error, what) from None
        except (ResourceNotFoundError, ResourceNotUniqueError) as error:
            raise LabError(f"{what}: the API server knows no such kind", detail=str(error)) from None
        except (HTTPError, OSError) as error:
            raise LabError(f"{what}: the API server does not answer", detail=str(error), hint="lab status") from None
