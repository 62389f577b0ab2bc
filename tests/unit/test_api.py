"""The API server through the real client: objects of every kind, failures in one line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiserver import StandIn
from fakes import FakeCarrier, Memory, pod
from kubernetes.client import ApiClient, ApiException, CoreV1Api, CustomObjectsApi, V1Secret

from lab.api import KubernetesApi, api_client, read, recorded_client, title
from lab.capture import Answer, read_record
from lab.errors import LabError

POOL = {
    "apiVersion": "crd.projectcalico.org/v1",
    "kind": "IPPool",
    "metadata": {"name": "default-ipv4-ippool"},
}
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"replicas": 2},
}


@pytest.fixture
def kube(
    server: StandIn, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KubernetesApi]:
    """The real client, talking to the stand-in."""
    kubeconfig = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: kubeconfig)
    api = KubernetesApi(fake)
    yield api
    api.close()


def test_apply_get_delete(kube: KubernetesApi, server: StandIn) -> None:
    """An object is created by server-side apply, found, and deleted."""
    kube.apply(WEB)
    found = kube.get(WEB)
    assert found is not None and found["spec"] == {"replicas": 2}
    kube.delete(WEB)
    assert kube.get(WEB) is None
    patch = next(request for request in server.requests if request.startswith("PATCH"))
    assert patch.startswith("PATCH /apis/apps/v1/namespaces/default/deployments/web?")
    assert "fieldManager=living-book" in patch and "force=true" in patch


def test_custom_resources_without_a_namespace(kube: KubernetesApi, server: StandIn) -> None:
    """Calico's own objects are applied alike."""
    kube.apply(POOL)
    assert kube.get(POOL) is not None
    assert "/apis/crd.projectcalico.org/v1/ippools/default-ipv4-ippool" in server.objects


def test_deleting_nothing_does_no_harm(kube: KubernetesApi) -> None:
    """An object that is gone already is not an error."""
    kube.delete(WEB)


def test_a_pod_gets_one_second_to_end(kube: KubernetesApi, server: StandIn) -> None:
    """Snippets do not wait half a minute for a pod."""
    kube.apply(pod())
    kube.delete(pod())
    delete = next(request for request in server.requests if request.startswith("DELETE"))
    assert "gracePeriodSeconds=1" in delete and "propagationPolicy=Background" in delete


def test_found_objects_say_what_they_are(kube: KubernetesApi) -> None:
    """The items of a list have kind and version, though the server leaves them out."""
    kube.apply(pod(metadata={"labels": {"app": "web"}}))
    kube.apply(pod("pod3", metadata={"labels": {"app": "db"}}))
    found = kube.find("v1", "Pod", "default", "app=web")
    assert [(title(item), item["apiVersion"]) for item in found] == [("Pod default/pod2", "v1")]


def test_labelled_finds_all_kinds_but_not_what_others_own(kube: KubernetesApi) -> None:
    """What a controller made goes with its owner, and Endpoints with their Service."""
    mine = {"labels": {"by": "book"}}
    owned = {**mine, "ownerReferences": [{"kind": "ReplicaSet"}]}
    kube.apply({**WEB, "metadata": {"name": "web", "namespace": "default", **mine}})
    kube.apply(pod("bare", metadata=mine))
    kube.apply(pod("child", metadata=owned))
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo", **mine}})
    endpoints = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "default", **mine},
    }
    kube.apply(endpoints)
    assert [title(item) for item in kube.labelled("by=book")] == [
        "Namespace demo",
        "Deployment default/web",
        "Pod default/bare",
    ]


def test_an_unknown_kind_is_an_error(kube: KubernetesApi) -> None:
    """A typing mistake in a manifest is one clear message."""
    with pytest.raises(LabError, match="Deploymend in apps/v1: the API server knows no such kind"):
        kube.apply({**WEB, "kind": "Deploymend"})


def test_a_refusal_is_one_line(kube: KubernetesApi, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's reason, not the client's forty lines."""
    kube.get(WEB)
    monkeypatch.setattr(server, "answer", lambda *request: (422, {"kind": "Status", "message": "spec is immutable"}))
    with pytest.raises(LabError) as caught:
        kube.delete(WEB)
    assert str(caught.value).splitlines()[1:] == ["  spec is immutable"]
    assert "deleting Deployment web: the API server answered 422" in str(caught.value)


def test_a_server_that_is_gone_is_an_error(
    kube: KubernetesApi, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens: no traceback."""
    kube.get(WEB)
    kube._api.rest_client.pool_manager.clear()
    server.close()
    monkeypatch.setattr(server, "close", lambda: None)
    with pytest.raises(LabError, match="the API server does not answer"):
        kube.get(WEB)


def test_a_missing_kubeconfig_is_an_error(fake: FakeCarrier) -> None:
    """It says what is wrong with it."""
    with pytest.raises(LabError, match="the lab's kubeconfig cannot be used"):
        api_client(fake)


SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "key",
        "namespace": "default",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"data": {"word": "aHVudGVyMg=="}}',
            "a": "b",
        },
        "managedFields": [{"manager": "kubectl"}],
    },
    "data": {"word": "aHVudGVyMg=="},
}


@pytest.fixture
def events(
    server: StandIn, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[Answer]]:
    """A lab whose API server is the stand-in; gives what was put on record so far."""
    kubeconfig = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: kubeconfig)
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    return lambda: [event for event in read_record(tmp_path / "record") if isinstance(event, Answer)]


@pytest.fixture
def client(fake: FakeCarrier, events: object) -> Iterator[ApiClient]:
    """A snippet's client, whose answers are recorded."""
    made = recorded_client(fake)
    yield made
    made.close()


def replayed(events: Callable[[], list[Answer]]) -> ApiClient:
    """A snippet's client on replay."""
    carrier = FakeCarrier()
    carrier.recorded = Memory(events())
    return recorded_client(carrier)


def test_what_a_snippet_asked_is_recalled(
    client: ApiClient, server: StandIn, events: Callable[[], list[Answer]]
) -> None:
    """Typed objects, custom resources and refusals are the same on replay, and the server is not asked."""
    path = "/api/v1/namespaces/default/pods/pod2"
    server.objects[path] = pod(metadata={"labels": {"app": "web"}})
    server.objects["/apis/crd.projectcalico.org/v1/ippools/pool"] = POOL

    def ask(api: ApiClient) -> tuple[object, ...]:
        core, custom = CoreV1Api(api), CustomObjectsApi(api)
        with pytest.raises(ApiException) as caught:
            core.read_namespaced_pod("pod9", "default")
        return (
            core.list_namespaced_pod("default", label_selector="app=web").items[0].status.pod_ip,  # type: ignore[union-attr]
            custom.list_cluster_custom_object("crd.projectcalico.org", "v1", "ippools"),
            (caught.value.status, caught.value.reason),
        )

    live = ask(client)
    assert live[0] == "172.16.196.148"
    assert live[2] == (404, "Not Found")
    asked = len(server.requests)
    assert [answer.question for answer in events()] == [
        "GET /api/v1/namespaces/default/pods/pod9",
        "GET /api/v1/namespaces/default/pods?labelSelector=app%3Dweb",
        "GET /apis/crd.projectcalico.org/v1/ippools",
    ]
    assert ask(replayed(events)) == live
    assert len(server.requests) == asked


def test_the_record_leaves_out_what_no_reader_needs(
    client: ApiClient, server: StandIn, events: Callable[[], list[Answer]]
) -> None:
    """The bookkeeping of field managers is larger than the object."""
    meta = {"managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}], "labels": {"app": "web"}}
    server.objects["/api/v1/namespaces/default/pods/pod2"] = pod(metadata=meta)
    CoreV1Api(client).read_namespaced_pod("pod2", "default")
    CoreV1Api(client).list_namespaced_pod("default")
    one, many = (answer.reply["body"] for answer in events())
    assert one["metadata"]["labels"] == many["items"][0]["metadata"]["labels"] == {"app": "web"}
    assert "managedFields" not in str((one, many))


def test_a_secret_has_no_values_for_a_snippet(
    client: ApiClient, server: StandIn, events: Callable[[], list[Answer]]
) -> None:
    """Neither alone nor in a list, neither in its data nor in its annotation, live as on replay."""
    server.objects["/api/v1/namespaces/default/secrets/key"] = SECRET

    def ask(api: ApiClient) -> list[V1Secret]:
        core = CoreV1Api(api)
        return [core.read_namespaced_secret("key", "default"), core.list_namespaced_secret("default").items[0]]

    seen = [*ask(client), *ask(replayed(events))]
    assert len(seen) == 4
    assert "aHVudGVyMg" in str(server.objects) and "aHVudGVyMg" not in str(events())
    for secret in seen:
        assert secret.metadata is not None and secret.metadata.annotations == {"a": "b"}
        assert list(secret.data or {}) == ["word"]
        assert "aHVudGVyMg" not in str(secret.data)


def test_text_stays_text(client: ApiClient, server: StandIn, events: Callable[[], list[Answer]]) -> None:
    """A log is no JSON."""
    server.text["/api/v1/namespaces/default/pods/pod2/log"] = "started\n"
    live = CoreV1Api(client).read_namespaced_pod_log("pod2", "default")
    assert events()[0].reply == {"status": 200, "text": "started\n"}
    assert CoreV1Api(replayed(events)).read_namespaced_pod_log("pod2", "default") == live == "started\n"


def test_a_watch_goes_past_the_record(client: ApiClient, server: StandIn, events: Callable[[], list[Answer]]) -> None:
    """It would have to end before it could be recorded."""
    CoreV1Api(client).list_namespaced_pod("default", watch=True)
    assert "watch=true" in server.requests[-1].lower()
    assert events() == []


def test_an_object_is_read_without_a_clients_types(
    client: ApiClient, server: StandIn, events: Callable[[], list[Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One path, one dict, the same on replay; None for what is not there, and one line for a refusal."""
    server.objects["/api/v1/namespaces/default/pods/pod2"] = pod()
    for path, name in (("/api/v1/namespaces/default/pods/pod2", "pod2"), ("/api/v1/nodes/node09", None)):
        live = read(None, lambda: client, path)
        assert (live["metadata"]["name"] if live else None) == name
        assert read(Memory(events()), lambda: pytest.fail("asked"), path) == live
    monkeypatch.setattr(server, "answer", lambda *request: (403, {"kind": "Status", "message": "not for you"}))
    with pytest.raises(LabError, match="reading /version: the API server answered 403 Forbidden") as caught:
        read(None, lambda: client, "/version")
    assert caught.value.detail == "not for you"


def test_reading_from_a_server_that_is_gone(
    client: ApiClient, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens: no traceback."""
    server.close()
    monkeypatch.setattr(server, "close", lambda: None)
    with pytest.raises(LabError, match="reading /version: the API server does not answer"):
        read(None, lambda: client, "/version")


def test_every_request_has_a_time_limit(
    server: StandIn, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's own default is to wait for ever."""
    from kubernetes.client import CoreV1Api

    kubeconfig = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: kubeconfig)
    client = api_client(fake)
    limits: list[object] = []
    send = client.rest_client.pool_manager.request

    def watch(*args: object, timeout: object = None, **more: object) -> object:
        limits.append(timeout)
        return send(*args, timeout=timeout, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(client.rest_client.pool_manager, "request", watch)
    CoreV1Api(client).list_namespaced_pod("default")
    assert "30" in str(limits[0])
    client.rest_client.pool_manager.clear()
