"""Who has which name: computed names are the captured ones, and objects of two clusters meet by what they are."""

import re

import pytest
from fakes import FakeApi, FakeCarrier, pod
from second_cluster import OUTS, SNIPPETS, book_world, second_world

from lab import scenario
from lab.check import identity
from lab.check.renaming import ADDRESS, CABLE, CHAIN, Renaming
from lab.errors import LabError

# These make a pod or a Service of their own, which no scenario names.
OWN = {
    "cluster_ip/nat_diff",
    "cni/what_happened",
    "cni_or_kube_proxy/new_pod",
    "cni_or_kube_proxy/services_alone",
    "cni_or_kube_proxy/stop_kube_proxy",
}
COMPUTED = re.compile(r"KUBE-(?:SVC|SEP|EXT|SVL|FW)-[A-Z2-7]{16}|cali[0-9a-f]{11}")
SHOWING = [name for name, text in OUTS.items() if COMPUTED.search(text) and name not in OWN]


@pytest.mark.parametrize("name", SHOWING)
def test_every_computed_name_of_the_book_is_explained(name: str) -> None:
    """All links and chains that a capture shows are those of its scenario's pods and Services."""
    world = book_world(SNIPPETS[name].scenario)
    assert set(COMPUTED.findall(OUTS[name])) <= world.cables | world.chains


def test_names_are_computed_as_the_book_shows() -> None:
    assert len(SHOWING) > 15
    assert identity.cable("default", "pod2") == "calibd2348b4f67"
    assert identity.chain("SVC", "default/web", "tcp") == "KUBE-SVC-LOLE4ISW44XBNF3G"
    assert identity.chain("SEP", "default/web", "tcp", "172.16.140.80:8080") == "KUBE-SEP-NRT3YTDM2TWC4C5V"


def test_the_same_cluster_has_the_same_names() -> None:
    book = book_world("web")
    names = identity.known(book, book)
    assert names.changes == {} and names.clashes() == []
    assert {"172.16.196.160", "10.96.0.80", "192.168.56.11", "172.16.140.64/26", "node02"} <= names.names.keys()


def test_objects_of_two_clusters_meet_by_what_they_are() -> None:
    """A pod's address, its node's block, a Service's chain; the link stays, as it comes from the pod's name."""
    names = identity.known(book_world("web"), second_world("web"))
    assert names.clashes() == []
    assert names.changes["172.16.140.80"] == "10.244.9.80"
    assert names.changes["172.16.196.128/26"] == "10.244.7.128/26"
    assert names.changes["10.96.0.80"] == "10.100.0.80"
    assert names.changes["node02"] == "red"
    other = identity.chain("SEP", "default/web", "tcp", "10.244.9.80:8080")
    assert names.changes["KUBE-SEP-NRT3YTDM2TWC4C5V"] == other
    same = {"KUBE-SVC-LOLE4ISW44XBNF3G", identity.cable("default", "web-1")}
    assert same <= names.names.keys() and not same & names.changes.keys()


def test_a_rule_tells_what_its_chain_is_computed_from() -> None:
    """Also that of a Service which a snippet makes itself; a chain with a false name tells nothing."""
    transcript = OUTS["cluster_ip/nat_diff"]
    names = Renaming({"172.16.140.80": "10.244.9.80"})
    found = identity.with_endpoints(names, transcript).names
    assert found["KUBE-SEP-NRT3YTDM2TWC4C5V"] == identity.chain("SEP", "default/web", "tcp", "10.244.9.80:8080")
    forged = transcript.replace("KUBE-SEP-NRT3YTDM2TWC4C5V", "KUBE-SEP-AAAAAAAAAAAAAAAA")
    assert "KUBE-SEP-AAAAAAAAAAAAAAAA" not in identity.with_endpoints(names, forged).names


@pytest.mark.parametrize(
    ("sort", "old", "new", "may"),
    [
        (ADDRESS, "172.16.49.66", "10.244.3.70", True),
        (ADDRESS, "172.16.49.66", "10.244.9.70", False),
        (ADDRESS, "172.16.49.66", "10.1.2.66", False),
        (ADDRESS, "10.96.0.33", "10.100.0.44", True),
        (ADDRESS, "169.254.1.1", "169.254.1.2", False),
        (ADDRESS, "0.0.0.0/0", "10.244.0.0/16", False),
        (ADDRESS, "172.16.0.0/24", "10.244.0.0/24", True),
        (CABLE, "cali00000000001", identity.cable("default", "web-1"), True),
        (CABLE, identity.cable("default", "web-1"), identity.cable("default", "web-2"), False),
        (CABLE, "cali00000000001", "cali00000000002", False),
        (CHAIN, "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-SVC-LOLE4ISW44XBNF3G", True),
        (CHAIN, "KUBE-SVC-LOLE4ISW44XBNF3G", "KUBE-SVC-AAAAAAAAAAAAAAAA", False),
    ],
)  # fmt: skip
def test_the_law(sort: str, old: str, new: str, may: bool) -> None:
    """An address stays in its block, a link is some pod's, a chain some Service's; constants stay."""
    assert identity.allows(book_world("web"), second_world("web"), sort, old, new) is may


class WideApi(FakeApi):
    """Lists all namespaces for the empty one, as an API server does; knows no blocks unless a test says so."""

    def __init__(self, *items: dict[str, object], blocks: tuple[dict[str, object], ...] | None = ()) -> None:
        super().__init__()
        self._items, self._blocks = items, blocks

    def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[dict[str, object]]:
        assert namespace == ""
        if kind != "BlockAffinity":
            return [item for item in self._items if item["kind"] == kind]
        if self._blocks is None:
            raise LabError("the API server knows no such kind")
        return list(self._blocks)

    def close(self) -> None:
        self.closed = True


AFFINITIES = (
    {"spec": {"node": "node01", "cidr": "172.16.196.128/26"}},
    {"spec": {"node": "node02", "cidr": "172.16.140.64/26"}},
    {"spec": {"node": "node02", "cidr": "172.16.140.128/26"}},
)


def test_a_running_cluster_is_read_from_its_objects(monkeypatch: pytest.MonkeyPatch, fake: FakeCarrier) -> None:
    """A pod's address is the one that it has, not one that it had; a node with two blocks has none of the book's."""
    items = [{**item, "status": {"podIP": "172.16.140.99"}} if item["metadata"]["name"] == "web-1" else item
             for item in scenario.load("web").objects]  # fmt: skip
    ended = pod("old", address="172.16.140.99", status={"phase": "Succeeded", "podIP": "172.16.140.99"})
    api = WideApi(*items, ended, blocks=AFFINITIES)
    monkeypatch.setattr(identity, "KubernetesApi", lambda carrier: api)
    world = identity.of_cluster(fake)
    assert api.closed
    assert world.owners["pod default/web-1: address"] == "172.16.140.99"
    assert "pod default/old: address" not in world.owners
    assert world.networks["worker 1: block"] == "172.16.196.128/26" and "worker 2: block" not in world.networks
    assert identity.known(book_world("web"), world).changes["172.16.140.80"] == "172.16.140.99"


def test_a_cluster_without_blocks_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch, fake: FakeCarrier) -> None:
    monkeypatch.setattr(identity, "KubernetesApi", lambda carrier: WideApi(blocks=None))
    assert "worker 1: block" not in identity.of_cluster(fake).networks
