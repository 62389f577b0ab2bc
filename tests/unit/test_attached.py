"""A cluster of the reader's own: its words, its nodes, what it lacks, and one message for each thing that is wrong."""

import ast
import json
import os
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import StandIn
from click.testing import CliRunner, Result

from lab import carriers, scenario
from lab.attached import kubeconfig, needs, nodes, probe, ways
from lab.attached.fit import BOOK_BLOCKS, Fit, names_in
from lab.attached.server import RIGHTS, Right, Server, require_rights
from lab.carriers import attached as attached_carrier
from lab.cli import main
from lab.errors import LabError
from lab.snippets import discover, find
from lab.spec import load_spec

BOOK = load_spec()
CALI = "cali" + sha1(b"living-book.pod2").hexdigest()[:11]
CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "home",
    "contexts": [
        {"name": "home", "context": {"cluster": "c", "user": "u"}},
        {"name": "shop-prod", "context": {"cluster": "c", "user": "u"}},
        {"name": "broken", "context": {"cluster": "none", "user": "u"}},
    ],
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1", "certificate-authority": "ca.crt"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig of three contexts whose server nobody listens for, and a lab that was never up."""
    monkeypatch.setenv("LAB_CARRIER", "")
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def up(*words: str) -> Result:
    return CliRunner().invoke(main, ["up", "--carrier", "attached", *words])


# --- one message each ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ["which cluster?", "--kubeconfig ~/.kube/config"]),
        (["--kubeconfig", "none"], ["none cannot be read: No such file", "hint: name it"]),
        (["--kubeconfig", "FILE", "--context", "away"], ["has no context 'away'", "it has: home, shop-prod, broken"]),
        (["--kubeconfig", "FILE", "--context", "broken"], ["names the cluster 'none'", "config view"]),
        (["--kubeconfig", "FILE", "--context", "shop-prod"], ["'shop-prod' looks like production", "--context NAME"]),
        (["--kubeconfig", "FILE"], ["http://127.0.0.1:1 does not answer", "refused", "curl -k"]),
        (["--kubeconfig", "FILE", "--fresh"], ["--fresh and --workers", "leave them away"]),
    ],
    ids=["no kubeconfig", "missing file", "context", "cluster", "production", "unreachable", "fresh"],
)
def test_bad_input_is_one_message(config: Path, words: list[str], told: list[str]) -> None:
    """With the next command, and nothing is kept."""
    result = up(*(str(config) if word == "FILE" else word for word in words))
    assert result.exit_code == 1
    for part in told:
        assert part in result.output
    assert "Traceback" not in result.output
    assert carriers.remembered() == {"carrier": "uml"}
    assert not (config.parent / "state/attached").exists()


def test_options_for_an_attached_cluster_need_it(config: Path) -> None:
    """Nobody starts kernels who meant her own cluster."""
    result = CliRunner().invoke(main, ["up", "--carrier", "uml", "--kubeconfig", str(config)])
    assert result.exit_code == 1 and "say --carrier attached" in result.output


def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    with pytest.raises(LabError, match="not a kubeconfig"):
        kubeconfig.load(path)


def test_a_context_is_taken_alone(config: Path, tmp_path: Path) -> None:
    """With absolute paths, its own namespace, and for its owner's eyes."""
    copy = tmp_path / "copy/kubeconfig"
    kubeconfig.load(config).write(copy, "living-book")
    found = yaml.safe_load(copy.read_text())
    assert [each["name"] for each in found["contexts"]] == ["home"]
    assert found["contexts"][0]["context"]["namespace"] == "living-book"
    assert found["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")
    assert copy.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("prod", "eu-PROD-1", "shop_production", "live.shop", "prd2")),
        *((name, False) for name in ("living-book", "products", "reproduce", "alive", "kind-dev")),
    ],
)
def test_names_that_look_like_production(name: str, expected: bool) -> None:
    """Whole words only: `products` is none."""
    content = {**CONFIG, "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}}]}
    assert bool(kubeconfig.looks_like_production(kubeconfig.Context(name, content))) is expected


class FakeServer(Server):
    """Answers by path; all else is not there."""

    def __init__(self, answers: dict[str, Any] | None = None, forbidden: tuple[str, ...] = ()) -> None:
        self._answers, self._forbidden = answers or {}, forbidden

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        if body and body["kind"] == "SelfSubjectAccessReview":
            wanted = body["spec"]["resourceAttributes"]
            name = "/".join(filter(None, (wanted["resource"], wanted["subresource"])))
            return 201, {"status": {"allowed": f"{wanted['verb']} {name}" not in self._forbidden}}
        found = self._answers.get(path)
        return (404, {}) if found is None else (200, found)


def test_missing_rights_are_named_all_at_once() -> None:
    server = FakeServer(forbidden=("list nodes", "create pods/exec", "patch networkpolicies"))
    with pytest.raises(LabError) as caught:
        require_rights(server, "living-book", RIGHTS)
    assert "lacks 3 rights; nothing was made" in caught.value.summary
    assert "may not list nodes: which nodes there are" in caught.value.detail
    assert "may not create pods/exec --namespace living-book" in caught.value.detail
    assert "may not patch networkpolicies.networking.k8s.io --namespace living-book" in caught.value.detail
    assert caught.value.hint.endswith("kubectl auth can-i list nodes")


def test_all_rights_are_enough() -> None:
    assert require_rights(FakeServer(), "living-book", RIGHTS) is None
    assert Right("get", "pods", True, "").words("x") == "get pods --namespace x"


@pytest.mark.parametrize(
    ("said", "told", "hint"),
    [
        ("root@10.0.0.1: Permission denied (publickey).", "w1: ssh refuses the key", "IdentityFile"),
        ("Host key verification failed.", "w1: ssh does not know its host key", "accept it: ssh -F"),
        ("ssh: connect to host 10.0.0.1 port 22: No route to host", "w1: it is not reached by ssh", "try it: ssh -F"),
    ],
    ids=["key refused", "host key", "unreachable"],
)
def test_ssh_that_fails_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str, hint: str
) -> None:
    """A program of that name says what ssh says."""
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\n[ "$1" = -G ] && exit\necho "{said}" >&2\nexit 255\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError) as caught:
        ways.Ssh("w1", "w1", "10.0.0.1", tmp_path / "config", tmp_path / "socket").connect()
    assert caught.value.summary == told and said in caught.value.detail and hint in caught.value.hint


def test_a_user_who_may_not_be_root_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\ncase "$*" in *"id -u"*) echo 1000;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match="may not become root without a password"):
        ways.Ssh("w1", "w1", "10.0.0.1", tmp_path / "config", tmp_path / "socket").connect()


def test_hosts_of_an_ssh_config(tmp_path: Path) -> None:
    """What is meant for every host names none."""
    config = tmp_path / "config"
    config.write_text("Host *\n  User ann\nHost w1 10.0.0.2\nhost=cp-?\n")
    patterns = ways.hosts(config)
    assert patterns == ["w1", "10.0.0.2", "cp-?"]
    found = [ways.host_of(*pair, patterns) for pair in (("w1", ""), ("w2", "10.0.0.2"), ("cp-a", ""), ("w3", ""))]
    assert found == ["w1", "10.0.0.2", "cp-a", ""]
    with pytest.raises(LabError, match="cannot be read: No such file"):
        ways.hosts(tmp_path / "none")


# --- nodes ------------------------------------------------------------------------------


def node(name: str, *, control: bool = False, ready: str = "True", address: str = "10.0.0.1") -> dict[str, Any]:
    labels = {"node-role.kubernetes.io/control-plane": ""} if control else {}
    status = {
        "conditions": [{"type": "Ready", "status": ready}],
        "addresses": [{"type": "InternalIP", "address": address}],
    }
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def cast(found: list[dict[str, Any]], wanted: str | None = None) -> list[str]:
    return [each["metadata"]["name"] for each in nodes.choose(found, wanted, BOOK).values()]


def test_nodes_are_chosen_by_role_and_name() -> None:
    cluster = [
        node("w2"),
        node("cp-b", control=True),
        node("w1"),
        node("cp-a", control=True),
        node("w0", ready="False"),
    ]
    assert cast(cluster) == ["cp-a", "w1", "w2"]
    assert cast(cluster, "node01=w2") == ["cp-a", "w2", "w1"]
    assert cast(cluster, "controlplane=cp-b, node02=cp-a") == ["cp-b", "w1", "cp-a"]


def test_a_hidden_control_plane_is_played_by_a_worker() -> None:
    assert cast([node("a"), node("b"), node("c")]) == ["c", "a", "b"]
    assert cast([node(name, control=True) for name in "abc"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("master=a", "'master=a' does not name a node of the book"),
        ("node01=z", "the cluster has no node 'z'"),
        ("node01=a,node02=a", "a cannot play two nodes"),
        ("node01=sick", "the node sick cannot be used: it is not Ready"),
    ],
)
def test_wishes_that_mean_nothing(wanted: str, told: str) -> None:
    with pytest.raises(LabError) as caught:
        cast([node("a"), node("b"), node("c"), node("sick", ready="Unknown")], wanted)
    assert told in caught.value.summary and caught.value.hint


def test_too_few_nodes_are_told_with_their_state() -> None:
    with pytest.raises(LabError, match="needs 3 nodes, and this cluster has 1") as caught:
        cast([node("a"), node("b", ready="False")])
    assert "b: it is not Ready" in caught.value.detail


# --- words ------------------------------------------------------------------------------

OTHER = Fit(
    "living-book",
    nodes={"controlplane": "cp-a", "node01": "w1", "node02": "w2"},
    addresses={
        "192.168.56.10": "10.0.0.4", "192.168.56.11": "10.0.0.5", "192.168.56.12": "10.0.0.6",
        "192.168.56.1": "10.0.0.254", "10.96.0.80": "10.43.0.81", "172.16.196.128": "10.244.7.65",
        "172.16.196.148": "10.244.7.84", "172.16.140.80": "10.244.9.16",
    },
    networks={
        "172.16.0.0/16": "10.244.0.0/16", "172.16.196.128/26": "10.244.7.64/26", "172.16.140.64/26": "10.244.9.0/26",
        "10.96.0.0/12": "10.43.0.0/16",
    },
    ports={30080: 30081, 30081: 30082},
)  # fmt: skip
SAME = Fit("default", {"node01": "node01"}, {"10.96.0.80": "10.96.0.80"}, {}, {30080: 30080})


@pytest.mark.parametrize(
    ("book", "here"),
    [
        ("172.16.196.148 dev calibd2348b4f67 scope link", "10.244.7.84 dev CALI scope link"),
        ("bd2348b4f67", "DIGEST"),
        ("172.16.140.64/26 via 192.168.56.12", "10.244.9.0/26 via 10.0.0.6"),
        ("172.16.196.150", "10.244.7.86"),
        ("inet 172.16.196.128/32", "inet 10.244.7.65/32"),
        ("Mesh_192_168_56_12 up", "Mesh_10_0_0_6 up"),
        ("192.168.56.12.8472: OTV", "10.0.0.6.8472: OTV"),
        ("default via 192.168.56.1 dev eth0", "default via 10.0.0.254 dev eth0"),
        ("web.default.svc.cluster.local", "web.living-book.svc.cluster.local"),
        ("cali-pri-kns.default", "cali-pri-kns.living-book"),
        ("default/knp.default.only-friend", "living-book/knp.default.only-friend"),
        ("metadata: {name: default-deny}", "metadata: {name: default-deny}"),
        ("http://192.168.56.11:30080/", "http://10.0.0.5:30081/"),
        ("--dport 30081 on node01", "--dport 30082 on w1"),
        ("net.ipv4.conf.calibd2348b4f67.proxy_arp = 1", "net.ipv4.conf.CALI.proxy_arp = 1"),
        ("192.168.56.120", "192.168.56.120"),
    ],
)
def test_the_books_words_and_back(book: str, here: str) -> None:
    """What goes forth comes back the same."""
    assert OTHER.forth(book, ["pod2"]) == here.replace("CALI", CALI).replace("DIGEST", CALI[4:])
    assert OTHER.back(OTHER.forth(book, ["pod2"]), ["pod2"]) == book
    assert SAME.forth(book, ["pod2"]) == SAME.back(book, ["pod2"]) == book


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "computed"),
    [
        ("cluster_ip/hairpin", "KEUPSEFGJD4RMISS"),
        ("cluster_ip/one_in_n", "XBTWWDH2BPQTTIMU"),
        ("network_policy/felix_chains", "_Ju4-1r2xf0fqNSMGqYU"),
        ("network_policy/in_the_set", "cali40s:ulcjvoHsyt7waOxmub3wx41"),
        ("node_port/pod_to_outside", "calia7a3e029a7b"),
        ("node_port/source_local", "NEXWZWH5PGMW4KIO"),
    ],
)
def test_computed_names_become_the_clusters_own(name: str, computed: str) -> None:
    """Chains of kube-proxy and Calico, sets and devices, from names that stand in snippet and scenario."""
    snippet = find(name)
    assert snippet.scenario
    text = snippet.path.read_text() + scenario.path_of(snippet.scenario).read_text()
    assert computed in text
    fitted = OTHER.forth(text, names_in(text))
    assert computed not in fitted
    assert OTHER.back(fitted, names_in(text)).count(computed) == text.count(computed)


def test_a_snippet_keeps_its_names_and_lines() -> None:
    """Only texts are other ones: a node may have a name that no variable can have."""
    source = 'node01 = cluster.node("node01")\nout = node01.run(f"ip route get {x} from 172.16.196.148")\n'
    tree = OTHER.tree(source)
    text = ast.unparse(tree)
    assert "node01 = cluster.node('w1')" in text and "from 10.244.7.84" in text
    assert [statement.lineno for statement in tree.body] == [1, 2]


def test_a_scenario_lives_in_the_labs_namespace() -> None:
    items = OTHER.objects(scenario.load("web").objects, ["web-0"])
    assert {item["metadata"]["namespace"] for item in items} == {"living-book"}
    service = next(item for item in items if item["metadata"]["name"] == "web" and item["kind"] == "Service")
    assert service["spec"]["clusterIP"] == "10.43.0.81"
    pod = next(item for item in items if item["metadata"]["name"] == "web-0")
    assert json.loads(pod["metadata"]["annotations"][probe.ADDRESSES]) == ["10.244.7.96"]
    assert pod["spec"]["nodeName"] == "w1"
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_addresses_that_cannot_be_fixed_are_not_asked_for() -> None:
    loose = Fit("living-book", OTHER.nodes, OTHER.addresses, fixed=False)
    items = loose.objects(scenario.load("pods").objects, [])
    assert not [item for item in items if probe.ADDRESSES in item["metadata"].get("annotations", {})]
    assert loose.with_addresses({"172.16.140.70": "10.1.2.3"}).forth("ping 172.16.140.70") == "ping 10.1.2.3"


# --- what it has, and lacks ----------------------------------------------------------------


def calico(**changes: Any) -> FakeServer:
    """A cluster like the book's, with another pool."""
    group = "/apis/crd.projectcalico.org/v1"
    pool = {"metadata": {"name": "p"}, "spec": {"cidr": "10.244.0.0/16", "ipipMode": "Always"}}
    blocks = {"cp-a": "10.244.1.0/26", "w1": "10.244.7.64/26", "w2": "10.244.9.0/26"}
    services = [
        ("default", "kubernetes", "10.43.0.1"),
        ("kube-system", "kube-dns", "10.43.0.10"),
        ("a", "b", "10.43.0.80"),
    ]
    return FakeServer(
        {
            f"{group}/ippools": {"items": [pool]},
            f"{group}/blockaffinities": {"items": [{"spec": {"node": n, "cidr": c}} for n, c in blocks.items()]},
            "/apis/networking.k8s.io/v1/servicecidrs": {"items": [{"spec": {"cidrs": ["10.43.0.0/16"]}}]},
            "/api/v1/services": {
                "items": [
                    {
                        "metadata": {"namespace": ns, "name": name},
                        "spec": {"clusterIP": ip, "ports": [{"nodePort": 30080}]},
                    }
                    for ns, name, ip in services
                ]
            },
            "/api/v1/pods": {"items": [{"metadata": {"name": "x"}, "status": {"podIP": "10.244.7.84"}}]},
            **changes,
        }
    )


def found(server: FakeServer) -> probe.Facts:
    three = [
        node("cp-a", control=True, address="10.0.0.4"),
        node("w1", address="10.0.0.5"),
        node("w2", address="10.0.0.6"),
    ]
    return probe.facts(server, nodes.choose(three, None, BOOK), three, "living-book")


def test_each_of_the_books_addresses_has_a_free_place() -> None:
    facts = found(calico())
    fit = probe.fit(facts, "10.0.0.254", BOOK, "living-book")
    assert (facts.pods, facts.services, facts.dns) == ("10.244.0.0/16", "10.43.0.0/16", "10.43.0.10")
    assert fit.addresses["192.168.56.12"] == "10.0.0.6" and fit.addresses["192.168.56.1"] == "10.0.0.254"
    assert fit.addresses["10.96.0.10"] == "10.43.0.10" and fit.addresses["10.96.0.1"] == "10.43.0.1"
    # Two are taken, a pod's and a Service's: their neighbours stand in.
    assert fit.addresses["10.96.0.80"] not in facts.taken and fit.addresses["172.16.196.148"] not in facts.taken
    assert len(set(fit.addresses.values())) == len(fit.addresses)
    assert fit.ports[30080] != 30080 and len(set(fit.ports.values())) == len(fit.ports)
    assert fit.networks[BOOK_BLOCKS["node01"]] == "10.244.7.64/26" and fit.fixed


def seen(**changes: Any) -> dict[str, probe.NodeFacts]:
    good = {"device": "eth0", "gateway": "10.0.0.254", "proxy": "iptables", "kubectl": "namespace/living-book"}
    return {name: probe.NodeFacts(**{**good, **changes}) for name in ("cp-a", "w1", "w2")}


def lacking(server: FakeServer, told: dict[str, probe.NodeFacts], *, mine: bool = False) -> dict[str, str]:
    facts = found(server)
    spec = nodes.spec(facts.cast, BOOK, pods=facts.pods, services=facts.services, dns=facts.dns)
    return probe.lacks(facts, told, spec, probe.fit(facts, "", BOOK, "living-book"), mine=mine)


def test_a_cluster_like_the_books_lacks_only_its_addresses_and_names() -> None:
    assert set(lacking(calico(), seen(), mine=True)) == {"addresses", "names"}
    assert "mine" in lacking(calico(), seen())


def test_another_cni_and_another_mode_are_named() -> None:
    other = calico(**{"/apis/crd.projectcalico.org/v1/ippools": None})
    missing = lacking(other, seen(proxy="nftables", device="ens3", without=["conntrack", "python3"]))
    assert missing["calico"] == missing["ipip"] == "no pool of Calico's"
    assert missing["kube-proxy"].startswith("cp-a: nftables") and "ens3" in missing["eth0"]
    assert "no conntrack on cp-a" in missing["program conntrack"] and "python3" in missing["every"]
    assert "it needs Calico" in needs.reason(find("pod_to_pod/the_brief_line"), {"calico": missing["calico"]})
    for name, why in needs.skipped(discover(), missing).items():
        assert why, name


def test_snippets_that_stop_something_want_the_cluster_for_themselves() -> None:
    why = needs.reason(find("operating/dns_gone"), {"mine": "an attached cluster is left as it is"})
    assert "lab up --mine" in why
    assert needs.reason(find("network_policy/egress"), {"mine": "x"}) == ""


def test_the_table_of_needs_names_what_there_is() -> None:
    """A snippet that is renamed, or a word that means nothing, is found here."""
    table, known = needs.table(), {snippet.name: snippet for snippet in discover()}
    sandboxed = {"iptables", "namespaces"}
    assert {snippet.chapter for snippet in known.values()} - sandboxed == set(table["chapters"])
    assert set(table["snippets"]) | set(table["harmless"]) <= set(known)
    wanted = [need for part in ("chapters", "snippets") for each in table[part].values() for need in each]
    assert set(wanted) <= set(needs.FEATURES)
    assert all(known[name].alone for name in table["harmless"])


def test_programs_are_read_from_the_snippet() -> None:
    assert "program birdcl" in needs.of(find("pod_to_pod/bgp_sessions"))
    assert "program tcpdump" in needs.of(find("pod_to_pod/same_node"))
    assert {"kubectl", "program iptables"} <= set(needs.of(find("cluster_ip/endpoint_slices")))


def test_down_without_an_attached_cluster_does_no_harm(config: Path) -> None:
    said: list[str] = []
    attached_carrier.down(said.append)
    assert said == ["no cluster is attached"]
    with pytest.raises(LabError, match="no cluster of yours is attached"):
        attached_carrier.running()


# --- up and down, against an API server that keeps objects -----------------------------------

# Everything "on a node" runs here; `nsenter` enters nothing.
PROGRAMS = {
    "ssh": 'case "$*" in *-G*|*-M*|*-O*) exit;; esac\nfor line; do :; done\nexec sh -c "$line"',
    "kubectl": 'case "$*" in *exec*) while [ "$1" != -- ]; do shift; done; shift;; *) exit 1;; esac\n'
    '"$@"; code=$?; [ $code = 0 ] || echo "command terminated with exit code $code" >&2; exit $code',
    "nsenter": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
}


class Cluster(StandIn):
    """Three nodes, one of them not in the ssh config; pods start at once."""

    forbidden = False

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, dict[str, Any]]:
        if path.endswith("selfsubjectaccessreviews"):
            return 201, {"status": {"allowed": not self.forbidden}}
        if path == "/api/v1/nodes":
            return 200, {"items": [node("cp", control=True), node("w1"), node("w2")]}
        if path == "/api/v1/services":
            api = {"metadata": {"namespace": "default", "name": "kubernetes"}, "spec": {"clusterIP": "10.43.0.1"}}
            return 200, {"items": [api]}
        if method == "POST":
            status = {"containerStatuses": [{"ready": True}]}
            self.objects[f"{path}/{body['metadata']['name']}"] = {**body, "status": status}
            return 201, body
        if method == "DELETE" and path.startswith("/api/v1/namespaces/"):
            for each in [key for key in self.objects if key.startswith(f"{path}/")]:
                del self.objects[each]
        return super().answer(method, path, query, body)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster that can be attached, and a lab that never was up."""
    monkeypatch.setenv("LAB_CARRIER", "")
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    (tmp_path / "state/bin").mkdir(parents=True)
    (tmp_path / "state/bin/kubectl").symlink_to(programs / "kubectl")
    (tmp_path / "ssh_config").write_text("Host w1 w2\n")
    server = Cluster()
    server.kubeconfig(tmp_path)
    yield server
    server.close()


def attach(folder: Path, *words: str) -> Result:
    return up("--kubeconfig", str(folder / "kubeconfig"), "--ssh-config", str(folder / "ssh_config"), *words)


def lab(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_nothing_is_made_before_it_is_shown(cluster: Cluster, tmp_path: Path) -> None:
    """Without a terminal and without --yes, that is all."""
    result = attach(tmp_path)
    assert result.exit_code == 1 and "nothing was made: nobody is there to be asked" in result.output
    for line in ("  Namespace living-book", "  Pod living-book/node-controlplane: privileged"):
        assert line in result.output
    assert "cp (10.0.0.1) plays controlplane, reached by a privileged pod" in result.output
    assert "w1 (10.0.0.1) plays node01, reached by ssh" in result.output
    assert cluster.objects == {}
    assert not [line for line in cluster.requests if line.startswith("POST") and "reviews" not in line]


@pytest.mark.slow
def test_up_status_and_down_leave_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Twice `up` is once; afterwards the next `lab up` starts the book's own nodes again."""
    for _ in range(2):
        result = attach(tmp_path, "--yes")
        assert result.exit_code == 0, result.output
        assert "the cluster is attached" in result.output and "snippets are skipped on this cluster" in result.output
        space = "/api/v1/namespaces/living-book"
        assert set(cluster.objects) == {space, f"{space}/pods/node-controlplane"}
    state = json.loads(lab("status", "--json").output)
    assert state["phase"] == "ready" and [each["name"] for each in state["nodes"]] == ["cp", "w1", "w2"]
    carrier = attached_carrier.running()
    for name in ("cp", "w2"):
        done = carrier.execute(name, "echo hello; exit 3")
        assert (done.status, done.stdout, done.stderr) == (3, "hello\n", "")
    assert lab("down").exit_code == 0
    assert cluster.objects == {} and carriers.remembered() == {"carrier": "uml"}
    assert not (tmp_path / "state/attached").exists()


def test_a_namespace_of_others_is_not_removed(cluster: Cluster, tmp_path: Path) -> None:
    """Nor is one of the lab's own name that it did not make ever used."""
    cluster.objects["/api/v1/namespaces/default"] = {"metadata": {"name": "default"}}
    assert attach(tmp_path, "--yes", "--namespace", "default").exit_code == 0
    assert "/api/v1/namespaces/default/pods/node-controlplane" in cluster.objects
    assert attached_carrier.running().fit.same_names
    assert lab("down").exit_code == 0
    assert set(cluster.objects) == {"/api/v1/namespaces/default"}
    cluster.objects["/api/v1/namespaces/living-book"] = {"metadata": {"name": "living-book"}}
    result = attach(tmp_path, "--yes")
    assert result.exit_code == 1 and "that the lab did not make" in result.output


def test_what_was_begun_is_removed_when_it_fails(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LabError("w1: no answer")

    monkeypatch.setattr(probe, "look", fail)
    result = attach(tmp_path, "--yes")
    assert result.exit_code == 1 and "w1: no answer" in result.output
    assert cluster.objects == {} and not (tmp_path / "state/attached").exists()


def test_what_is_not_done_to_a_strangers_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """Each is refused with what to do instead."""
    assert attach(tmp_path, "--yes").exit_code == 0
    for words, told in {
        ("mutate",): "mutations break a cluster on purpose",
        ("notebook",): "notebooks hold the book's own addresses",
        ("proxy-mode", "ipvs"): "its kube-proxy is left as it is",
        ("update", "cni/add"): "captures are made on the lab",
        ("run", "cni/add"): "cni/add is skipped on this cluster",
    }.items():
        result = lab(*words)
        assert result.exit_code == 1 and told in result.output and "hint: " in result.output, words


@pytest.mark.slow
def test_a_cluster_that_is_gone_is_forgotten(cluster: Cluster, tmp_path: Path) -> None:
    """With what may be left there."""
    assert attach(tmp_path, "--yes").exit_code == 0
    config = tmp_path / "state/attached/kubeconfig"
    config.write_text(config.read_text().replace("127.0.0.1:", "127.0.0.1:1 #"))
    result = lab("down")
    assert result.exit_code == 1 and "does not answer" in result.output
    result = lab("down", "--delete")
    assert result.exit_code == 0 and "kubectl delete namespace living-book" in result.output
    assert carriers.remembered() == {"carrier": "uml"}
