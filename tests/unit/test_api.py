"""The API server through the real client: objects of every kind, failures in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiserver import StandIn
from fakes import FakeCarrier, pod

from lab.api import KubernetesApi, api_client, title
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
