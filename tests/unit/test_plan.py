"""Which scenarios may stand at the same time; the book's own take nothing from each other."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import PODS, ROUTE

from lab import plan, scenario, snippets
from lab.errors import LabError

Write = Callable[[str, str], Path]

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {{cni.projectcalico.org/ipAddrs: '["{address}"]'}}
spec: {{}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{clusterIP: {address}, ports: [{{port: 80, nodePort: {port}}}]}}
"""


def test_the_books_own_scenarios_do_not_clash() -> None:
    """No two objects of different scenarios take one address, ClusterIP or node port."""
    names = scenario.names()
    assert names
    assert plan.clashes(names) == []


def test_a_scenario_claims_what_it_fixes(write: Write) -> None:
    """Names, addresses, ClusterIPs, ports of nodes and of hosts; also those of a workload's pods."""
    workload = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: demo}
spec:
  template:
    metadata: {annotations: {cni.projectcalico.org/ipAddrs: '["172.16.196.9"]'}}
    spec: {containers: [{name: main, ports: [{containerPort: 80, hostPort: 8080}]}]}
"""
    text = "---".join([POD.format(name="a", address="172.16.196.8"), workload])
    text += "---" + SERVICE.format(name="web", address="10.96.0.100", port=30100)
    write("snippets/scenarios/all.yaml", text)
    assert plan.claims("all") == {
        "name Pod default/a": "Pod a",
        "address 172.16.196.8": "Pod a",
        "name DaemonSet demo/agent": "DaemonSet demo/agent",
        "address 172.16.196.9": "DaemonSet demo/agent",
        "host port 8080": "DaemonSet demo/agent",
        "name Service default/web": "Service web",
        "ClusterIP 10.96.0.100": "Service web",
        "node port 30100": "Service web",
    }


CLASHES = {
    "pod address": (
        POD.format(name="a", address="172.16.196.8"),
        POD.format(name="b", address="172.16.196.8"),
        "address 172.16.196.8: Pod a in scenario one, Pod b in scenario two",
    ),
    "ClusterIP": (
        SERVICE.format(name="a", address="10.96.0.100", port=30100),
        SERVICE.format(name="b", address="10.96.0.100", port=30101),
        "ClusterIP 10.96.0.100: Service a in scenario one, Service b in scenario two",
    ),
    "node port": (
        SERVICE.format(name="a", address="10.96.0.100", port=30100),
        SERVICE.format(name="b", address="10.96.0.101", port=30100),
        "node port 30100: Service a in scenario one, Service b in scenario two",
    ),
}


@pytest.mark.parametrize(("one", "two", "fault"), CLASHES.values(), ids=CLASHES.keys())
def test_a_clash_is_found_and_kept_apart(write: Write, one: str, two: str, fault: str) -> None:
    """Named with both objects; and the two never stand at the same time."""
    groups = plant(write, one, two)
    assert plan.clashes(["one", "two"]) == [fault]
    assert groups[0].excludes(groups[1]) and groups[1].excludes(groups[0])


def plant(write: Write, one: str, two: str) -> list[plan.Group]:
    """Two scenarios with one snippet each."""
    for name, text in (("one", one), ("two", two)):
        write(f"snippets/scenarios/{name}.yaml", text)
        write(f"snippets/demo/{name}.py", PODS.replace("pods", name))
    return plan.groups(snippets.discover())


def test_a_shared_object_is_no_clash_but_kept_apart(write: Write) -> None:
    """The same pod in two scenarios: the one's end would take it from the other."""
    text = POD.format(name="a", address="172.16.196.8")
    groups = plant(write, text, text)
    assert plan.clashes(["one", "two"]) == []
    assert groups[0].excludes(groups[1])


def test_scenarios_with_nothing_in_common_may_stand_together(write: Write) -> None:
    """Other names, other addresses."""
    texts = (POD.format(name=name, address=address) for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2")))
    groups = plant(write, *texts)
    assert not groups[0].excludes(groups[1])


def test_two_objects_of_one_scenario_must_not_take_the_same(write: Write) -> None:
    """The second pod would never start."""
    text = "---".join(POD.format(name=name, address="172.16.196.8") for name in ("a", "b"))
    write("snippets/scenarios/one.yaml", text)
    with pytest.raises(LabError, match=r"scenario one: Pod b and Pod a both take the address 172\.16\.196\.8"):
        plan.claims("one")


def test_groups_follow_the_scenarios(write: Write) -> None:
    """Those without one come first; within a group, by name."""
    write("snippets/scenarios/pods.yaml", POD.format(name="a", address="10.0.0.1"))
    for name, text in (("b", PODS), ("a", PODS), ("z", ROUTE)):
        write(f"snippets/demo/{name}.py", text)
    found = [
        (group.scenario, [snippet.name for snippet in group.snippets]) for group in plan.groups(snippets.discover())
    ]
    assert found == [(None, ["demo/z"]), ("pods", ["demo/a", "demo/b"])]


def test_an_unreadable_scenario_fails_later(write: Write) -> None:
    """When it is applied, with its own message; planning goes on."""
    write("snippets/scenarios/pods.yaml", "kind: [")
    write("snippets/demo/a.py", PODS)
    assert plan.groups(snippets.discover())[0].taken == frozenset()
