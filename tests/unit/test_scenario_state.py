"""What a scenario waits for, condition by condition."""

from typing import Any

import pytest
from fakes import FakeApi, FakeCarrier, pod

from lab.errors import LabError
from lab.scenario_state import PROXY, cluster_ips, stale_rules, unready

NODES = ("controlplane", "node01", "node02")

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default", "generation": 2},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": {"app": "web"}},
}


def states(items: list[Any], api: FakeApi, fake: FakeCarrier) -> list[str]:
    """What these objects wait for, in words."""
    return [state for state, _ in unready(items, api, fake)]


def deployment(**status: int) -> dict[str, Any]:
    """The Deployment with this status."""
    return {**WEB, "status": status}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"observedGeneration": 1, "readyReplicas": 2}, "was not looked at by its controller yet"),
        ({"observedGeneration": 2}, "has 0 of 2 pods Ready"),
        ({"observedGeneration": 2, "readyReplicas": 1}, "has 1 of 2 pods Ready"),
    ],
)
def test_a_deployment_needs_all_its_pods(
    api: FakeApi, fake: FakeCarrier, status: dict[str, int], expected: str
) -> None:
    """The status counts only if it is about the object as it is now."""
    api.add(deployment(**status))
    assert states([WEB], api, fake) == [expected]


def test_a_daemonset_needs_a_pod_on_each_node(api: FakeApi, fake: FakeCarrier) -> None:
    """It has its own way to count."""
    item = {**WEB, "kind": "DaemonSet"}
    api.add({**item, "status": {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberReady": 2}})
    assert states([item], api, fake) == ["has 2 of 3 pods Ready"]


def test_the_pods_of_a_workload_need_routes(api: FakeApi, fake: FakeCarrier) -> None:
    """Pods that a controller made are looked at like bare ones; dying ones are not."""
    api.add(deployment(observedGeneration=2, readyReplicas=2))
    api.add(pod("web-1", metadata={"labels": {"app": "web"}}))
    api.add(pod("web-2", metadata={"labels": {"app": "web"}, "deletionTimestamp": "now"}))
    for name in ("controlplane", "node01", "node02"):
        fake.on(name, "ip -4 route show", stdout="172.16.196.128/26 via 192.168.56.11 dev tunl0\n")
    assert states([WEB], api, fake) == ["has no route 172.16.196.148/32 on node01"]


def test_a_service_needs_its_endpoints(api: FakeApi, fake: FakeCarrier) -> None:
    """Each Ready pod that it selects must stand in an EndpointSlice."""
    api.add(pod("web-1", metadata={"labels": {"app": "web"}}))
    api.add(pod("web-2", address="172.16.140.65", metadata={"labels": {"app": "web"}}))
    piece = {
        "kind": "EndpointSlice",
        "metadata": {"name": "web-x", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [
            {"addresses": ["172.16.196.148"], "conditions": {"ready": True}},
            {"addresses": ["172.16.140.65"], "conditions": {"ready": False}},
        ],
    }
    api.add(piece)
    assert states([SERVICE], api, fake) == ["has 1 endpoints for 2 pods"]
    endpoints: Any = piece["endpoints"]
    endpoints[1]["conditions"] = {"ready": True}
    assert states([SERVICE], api, fake) == []


def test_a_service_without_pods_needs_none(api: FakeApi, fake: FakeCarrier) -> None:
    """An empty EndpointSlice has None for a list."""
    labels = {"kubernetes.io/service-name": "web"}
    api.add({"kind": "EndpointSlice", "metadata": {"name": "web-x", "labels": labels}, "endpoints": None})
    assert states([SERVICE], api, fake) == []


def test_a_service_without_a_selector_is_left_alone(api: FakeApi, fake: FakeCarrier) -> None:
    """Somebody else writes its endpoints."""
    assert states([{**SERVICE, "spec": {}}], api, fake) == []


def test_a_pod_on_the_nodes_network_needs_no_route(api: FakeApi, fake: FakeCarrier) -> None:
    """It has the node's address."""
    item = pod()
    item["spec"]["hostNetwork"] = True
    api.add(item)
    assert states([item], api, fake) == []
    assert fake.asked == []


def test_a_pod_that_has_done_its_work_is_ready(api: FakeApi, fake: FakeCarrier) -> None:
    """Succeeded is an end, not a wait."""
    item = pod(status={"phase": "Succeeded", "conditions": []})
    api.add(item)
    assert states([item], api, fake) == []


def test_a_pod_that_fits_nowhere_says_why(api: FakeApi, fake: FakeCarrier) -> None:
    """The scheduler's own words."""
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    item = pod(status={"phase": "Pending", "conditions": [condition]})
    api.add(item)
    assert states([item], api, fake) == ["is Pending, not Ready; 0/3 nodes are available"]


def test_a_pod_that_vanished_is_missed(api: FakeApi, fake: FakeCarrier) -> None:
    """What was applied must be there."""
    assert states([pod()], api, fake) == ["is not there"]


def test_routes_that_cannot_be_read_are_an_error(api: FakeApi, fake: FakeCarrier) -> None:
    """A broken node is not waited for."""
    api.add(pod())
    for name in NODES:
        fake.on(name, "ip -4 route show", stderr="ip: not found", status=127)
    with pytest.raises(LabError, match="controlplane: reading the routes exited 127"):
        states([pod()], api, fake)


RULES = {
    "iptables": (
        '-A KUBE-SERVICES -d 10.96.0.100/32 -p tcp -m comment --comment "default/web cluster IP" -m tcp '
        "--dport 80 -j KUBE-SVC-LOLE4ISW44XBNF3G",
        '-A KUBE-SEP-A -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 172.16.196.148:8080',
    ),
    "nftables": (
        "10.96.0.100 . tcp . 80 : goto service-ULMVA6XW-default/web/tcp/,",
        "chain service-ULMVA6XW-default/web/tcp/ {\n"
        "\t\tmeta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 172.16.196.148 . 8080 }",
    ),
    "ipvs": ("-A -t 10.96.0.100:80 -s rr", "-a -t 10.96.0.100:80 -r 172.16.196.148:8080 -m -w 1"),
}


@pytest.fixture
def web(api: FakeApi, fake: FakeCarrier) -> dict[str, Any]:
    """A Service with one endpoint."""
    spec = {"selector": {"app": "web"}, "clusterIP": "10.96.0.100", "ports": [{"port": 80}]}
    service = {**SERVICE, "spec": spec}
    api.add(service)
    api.add(pod(metadata={"labels": {"app": "web"}}))  # no object of the test's own, so no route is asked for
    labels = {"kubernetes.io/service-name": "web"}
    endpoints = [{"addresses": ["172.16.196.148"], "conditions": {"ready": True}}]
    api.add({"kind": "EndpointSlice", "metadata": {"name": "web-x", "labels": labels}, "endpoints": endpoints})
    return service


def proxies(fake: FakeCarrier, mode: str, *rules: str, but: str = "") -> None:
    """What kube-proxy has made on all nodes; on one of them nothing."""
    for name in NODES:
        lines = [] if name == but else rules
        fake.on(name, PROXY, stdout="\n".join([mode, *lines, ""]))


@pytest.mark.parametrize("mode", RULES)
def test_a_cluster_ip_needs_rules_on_each_node(web: dict[str, Any], api: FakeApi, fake: FakeCarrier, mode: str) -> None:
    """In the mode that is in force: for the Service, and for its endpoints."""
    proxies(fake, mode, *RULES[mode])
    assert states([web], api, fake) == []


@pytest.mark.parametrize("mode", RULES)
def test_a_node_without_the_rule_is_waited_for(web: dict[str, Any], api: FakeApi, fake: FakeCarrier, mode: str) -> None:
    """kube-proxy on one node may be slower than on the others."""
    proxies(fake, mode, *RULES[mode], but="node02")
    assert states([web], api, fake) == [f"has no rule for 10.96.0.100:80 on node02 ({mode})"]


@pytest.mark.parametrize("mode", RULES)
def test_an_endpoint_without_a_rule_is_waited_for(
    web: dict[str, Any], api: FakeApi, fake: FakeCarrier, mode: str
) -> None:
    """The Service's rule alone leads nowhere; another endpoint's does not count."""
    proxies(fake, mode, RULES[mode][0], RULES[mode][1].replace("196.148", "196.14"))
    assert states([web], api, fake) == [f"has no rule for 172.16.196.148 on {name} ({mode})" for name in NODES]


@pytest.mark.parametrize(
    "rule",
    [
        "chain endpoint-2CWVXRRX-default/web/tcp/__172.16.196.148/8080 {",
        "chain service-ULMVA6XW-default/web/tcp/ {\n\t\tmeta l4proto tcp dnat to 172.16.196.148:8080",
    ],
    ids=["with affinity", "one endpoint"],
)
def test_nftables_names_an_endpoint_in_several_ways(
    web: dict[str, Any], api: FakeApi, fake: FakeCarrier, rule: str
) -> None:
    """A chain of its own, or a word in the Service's only rule."""
    proxies(fake, "nftables", RULES["nftables"][0], rule)
    assert states([web], api, fake) == []


def test_endpoints_of_a_local_service_are_not_on_every_node(
    web: dict[str, Any], api: FakeApi, fake: FakeCarrier
) -> None:
    """Only the Service's own rule is."""
    web["spec"]["internalTrafficPolicy"] = "Local"
    proxies(fake, "iptables", RULES["iptables"][0])
    assert states([web], api, fake) == []


def test_a_headless_service_needs_no_rules(web: dict[str, Any], api: FakeApi, fake: FakeCarrier) -> None:
    """Nobody is asked about it."""
    web["spec"]["clusterIP"] = "None"
    assert states([web], api, fake) == []
    assert fake.asked == []


def test_a_kube_proxy_that_does_not_answer_is_an_error(web: dict[str, Any], api: FakeApi, fake: FakeCarrier) -> None:
    """Without it no rule will ever come."""
    for name in NODES:
        fake.on(name, PROXY, stderr="kube-proxy does not tell its mode", status=1)
    with pytest.raises(LabError, match="controlplane: reading kube-proxy's rules exited 1") as caught:
        states([web], api, fake)
    assert caught.value.detail == "kube-proxy does not tell its mode"


@pytest.mark.parametrize("mode", RULES)
def test_a_service_is_gone_when_no_node_has_its_rules(
    web: dict[str, Any], api: FakeApi, fake: FakeCarrier, mode: str
) -> None:
    """An address that only begins like it is another one's."""
    services = cluster_ips([web], api)
    proxies(fake, mode, *RULES[mode], but="node01")
    left = [state for state, _ in stale_rules(services, fake)]
    assert left == [f"is gone, but {name} has rules for 10.96.0.100" for name in ("controlplane", "node02")]


def test_another_services_rules_may_stay(web: dict[str, Any], api: FakeApi, fake: FakeCarrier) -> None:
    """10.96.0.1 is not 10.96.0.100."""
    web["spec"]["clusterIP"] = "10.96.0.1"
    proxies(fake, "iptables", *RULES["iptables"])
    assert stale_rules(cluster_ips([web], api), fake) == []
