"""Scenarios: read, applied until they can be relied on, removed until nothing is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeApi, FakeCarrier, FakeClock, pod

from lab import scenario
from lab.errors import LabError

Write = Callable[[str, str], Path]

POD2 = """
apiVersion: v1
kind: Pod
metadata:
  name: pod2
spec:
  nodeName: node01
"""
BLOCK = "172.16.196.128/26 via 192.168.56.11 dev tunl0 proto bird onlink\ndefault via 192.168.56.1 dev eth0\n"
OWN = "blackhole 172.16.196.128/26 proto bird\n172.16.196.148 dev calibd2348b4f67 scope link\n"
GONE = "blackhole 172.16.196.128/26 proto bird\n"


@pytest.fixture
def pods(write: Write, api: FakeApi) -> str:
    """A scenario with one pod, which becomes Ready at once."""
    write("snippets/scenarios/pods.yaml", POD2)
    live = pod()
    api.live["Pod pod2"] = {"spec": live["spec"], "status": live["status"]}
    return "pods"


def routes(fake: FakeCarrier, own: str = OWN, *, others: str = BLOCK) -> None:
    """What the nodes' main tables hold."""
    fake.on("node01", "ip -4 route show", stdout=own)
    for name in ("controlplane", "node02"):
        fake.on(name, "ip -4 route show", stdout=others)


def event(uid: str, message: str) -> dict[str, Any]:
    """An event of a pod2."""
    return {
        "kind": "Event",
        "metadata": {"name": f"event-{uid}", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "pod2", "uid": uid},
        "reason": "Failed",
        "message": message,
    }


def test_every_object_is_labelled(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """`lab reset` can find what snippets leave behind."""
    routes(fake)
    scenario.apply(pods, fake, api=api)
    assert [item["metadata"]["labels"] for item in api.applied] == [{scenario.LABEL: scenario.OWNER}]
    assert clock.slept == []


def test_own_labels_stay(write: Write) -> None:
    """The label is added, not put in place of others."""
    write("snippets/scenarios/web.yaml", POD2.replace("name: pod2", "name: pod2\n  labels: {app: web}"))
    labels = scenario.load("web").objects[0]["metadata"]["labels"]
    assert labels == {"app": "web", scenario.LABEL: scenario.OWNER}


def test_namespaces_come_first(write: Write) -> None:
    """What lives in a namespace is applied after it."""
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n"
    write("snippets/scenarios/demo.yaml", f"{POD2}---\n{namespace}---\n")
    assert [item["kind"] for item in scenario.load("demo").objects] == ["Namespace", "Pod"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: [", "is not YAML"),
        ("", "has no objects"),
        ("kind: Pod\napiVersion: v1\n", "object 1 has no metadata.name"),
        ("metadata: {name: x}\n", "object 1 has no apiVersion, kind"),
        ("- a\n", "object 1 has no fields"),
    ],
    ids=["yaml", "empty", "name", "kind", "list"],
)
def test_a_malformed_manifest_is_named(write: Write, text: str, words: str) -> None:
    """What is wrong with it, and in which object."""
    write("snippets/scenarios/bad.yaml", text)
    with pytest.raises(LabError, match=words):
        scenario.load("bad")


def test_an_unknown_scenario_names_the_known_ones(pods: str) -> None:
    """A typing mistake is told at once."""
    with pytest.raises(LabError, match="there is no scenario 'pod'") as caught:
        scenario.load("pod")
    assert caught.value.hint == "there are: pods"


def test_apply_waits_for_the_pods_route(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """A Ready pod whose route is not there yet cannot be used by a snippet."""
    fake.on("node01", "ip -4 route show", stdout=GONE)
    routes(fake)
    scenario.apply(pods, fake, api=api)
    assert len(clock.slept) == 1


def test_apply_waits_for_the_way_from_other_nodes(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """The block's route reaches the other nodes by BGP, a little later."""
    fake.on("node02", "ip -4 route show", stdout="default via 192.168.56.1 dev eth0\n")
    routes(fake)
    scenario.apply(pods, fake, api=api)
    assert len(clock.slept) == 1


def test_a_pod_that_does_not_start_is_explained(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """Out of time, the error names the pod, its state and its events."""
    waiting = {"waiting": {"reason": "ErrImageNeverPull", "message": "image is not present"}}
    api.live["Pod pod2"]["status"] = {"phase": "Pending", "containerStatuses": [{"state": waiting}]}
    api.live["Pod pod2"]["metadata"] = {"name": "pod2", "uid": "new"}
    api.add(event("new", "Error: ErrImageNeverPull"))
    api.add(event("old", "of an earlier pod of that name"))
    with pytest.raises(LabError) as caught:
        scenario.apply(pods, fake, api=api, timeout=10)
    assert str(caught.value).splitlines()[:3] == [
        "scenario pods is not ready after 10 s",
        "  Pod pod2 is Pending, not Ready; ErrImageNeverPull image is not present",
        "    event: Failed: Error: ErrImageNeverPull",
    ]
    assert "of an earlier pod" not in str(caught.value)
    assert sum(clock.slept) == pytest.approx(10, abs=0.5)


def test_a_missing_route_is_explained(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """The error says on which node the route is missing."""
    routes(fake, GONE)
    with pytest.raises(LabError, match="is not ready") as caught:
        scenario.apply(pods, fake, api=api)
    assert "has no route 172.16.196.148/32 on node01" in str(caught.value)


def test_apply_waits_for_what_is_being_deleted(
    pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dying pod of the same name must be gone, or the new one would die with it."""
    api.add({**pod(), "metadata": {"name": "pod2", "deletionTimestamp": "now"}})
    monkeypatch.setattr(clock, "sleep", lambda seconds: api.objects.clear())
    routes(fake)
    scenario.apply(pods, fake, api=api)
    assert len(api.applied) == 1


def test_present_asks_for_every_object(pods: str, api: FakeApi, fake: FakeCarrier) -> None:
    """A scenario is there when all of it is, and none of it is being deleted."""
    assert not scenario.present(pods, fake, api=api)
    api.add({**pod(), "metadata": {"name": "pod2"}})
    assert scenario.present(pods, fake, api=api)
    api.add({**pod(), "metadata": {"name": "pod2", "deletionTimestamp": "now"}})
    assert not scenario.present(pods, fake, api=api)


def test_remove_waits_for_the_route_to_go(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """The next scenario may use the address again: its old route must be gone."""
    routes(fake, OWN)
    scenario.apply(pods, fake, api=api)
    fake.on("node01", "ip -4 route show", stdout=OWN)
    fake.on("node01", "ip -4 route show", stdout=GONE)
    scenario.remove(pods, fake, api=api)
    assert api.objects == {}
    assert len(clock.slept) >= 1


def test_remove_tells_what_stays(pods: str, api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """An object that does not go is named."""
    routes(fake)
    scenario.apply(pods, fake, api=api)
    api.stubborn.add("Pod pod2")
    with pytest.raises(LabError, match="scenario pods does not go away after 5 s") as caught:
        scenario.remove(pods, fake, api=api, timeout=5)
    assert "Pod pod2 is still there" in str(caught.value)


def test_remove_of_what_is_not_there_does_no_harm(pods: str, api: FakeApi, fake: FakeCarrier) -> None:
    """Removing twice is removing once."""
    scenario.remove(pods, fake, api=api)
    assert fake.asked == []


def test_reset_deletes_what_snippets_left(api: FakeApi, fake: FakeCarrier, clock: FakeClock) -> None:
    """Everything with the label goes, nothing else does."""
    mine: dict[str, Any] = {
        "name": "pod2",
        "namespace": "default",
        "labels": {scenario.LABEL: scenario.OWNER},
    }
    api.add({**pod(), "metadata": mine})
    api.add(pod("other"))
    routes(fake, GONE)
    assert scenario.reset(fake, api=api) == ["Pod default/pod2"]
    assert list(api.objects) == ["Pod default/other"]


def test_reset_of_a_clean_cluster(api: FakeApi, fake: FakeCarrier) -> None:
    """There is nothing to delete and nobody to ask."""
    assert scenario.reset(fake, api=api) == []
    assert fake.asked == []
