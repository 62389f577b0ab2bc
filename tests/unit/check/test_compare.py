"""Three verdicts: the same, as expected under one renaming, and what no renaming explains."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import ROUTE, FakeCarrier, Lab
from second_cluster import OUTS, SNIPPETS, book_world, moved, second_world

from lab import carriers, check, scenario, verdicts
from lab.attached.fit import Fit, names_in
from lab.check import EXPECTED, MEANING, SAME, compare, identity
from lab.check.causes import CAUSES, cause_of, explained
from lab.check.compare import Seen, Words, judged
from lab.check.renaming import Renaming
from lab.check.report import Checked, Named, Report
from lab.cli import main
from lab.drift import Finding, Kind
from lab.errors import LabError
from lab.execute import Run
from lab.snippets import Snippet, find

Write = Callable[[str, str], Path]

CHAPTERS = ("pod_to_pod", "cluster_ip", "node_port")
# A digest over rules is another one under other names, and a question with a piece of an address cannot be translated.
NOT_MOVABLE = {"cluster_ip/every_node_equal", "cluster_ip/one_in_n"}
MOVABLE = [name for name in OUTS if name.split("/")[0] in CHAPTERS and name not in NOT_MOVABLE]
ROUTES, LINE, WEB = "pod_to_pod/routes_to_other_nodes", "pod_to_pod/the_brief_line", "cluster_ip/chain_names"


def seen(name: str, new: str, *, second: bool = False, error: str = "", old: str = "") -> Seen:
    """What a cluster showed for a snippet: the book's own, or the second one."""
    snippet = SNIPPETS[name]
    book = book_world(snippet.scenario)
    yours = second_world(snippet.scenario) if second else book
    return Seen(snippet, old or OUTS[name], new, error, bool(error), 1.0, book, yours)


def in_second(name: str) -> str:
    """The transcript as the second cluster prints it: `ip route` sorts its lines by address."""
    known = seen(name, "", second=True).known
    chains = {book: yours for book, yours in known.changes.items() if book.startswith("KUBE-")}
    return Renaming(chains).apply(moved(OUTS[name]))


def sentences(report: Report) -> list[str]:
    return [each.finding.sentence for checked in report.checked for each in checked.differences]


# --- the same, and as expected -----------------------------------------------------


@pytest.mark.parametrize("name", MOVABLE)
def test_a_cluster_with_other_names_differs_as_expected(name: str) -> None:
    """Every address, network, block, node and chain has another name: nothing differs in meaning."""
    report = judged([seen(name, in_second(name), second=True)])
    assert sentences(report) == [] and report.faults == () and report.status == 0
    assert report.checked[0].result == (SAME if in_second(name) == OUTS[name] else EXPECTED)
    assert all(row.book in OUTS[name] or row.book.replace(".", "_") in OUTS[name] for row in report.names)


def test_the_same_cluster_is_the_same() -> None:
    report = judged([seen(name, OUTS[name]) for name in (ROUTES, LINE, WEB)])
    assert [each.result for each in report.checked] == [SAME] * 3
    assert report.names == () and report.status == 0


def test_lines_that_sort_in_another_way_are_expected() -> None:
    """Routes come in the order of their addresses."""
    questions = re.findall(r"(.*\$ .*\n)((?:.*\n){3})", in_second(ROUTES))
    text = "".join(line + "".join(sorted(answer.splitlines(keepends=True))) for line, answer in questions)
    assert text != in_second(ROUTES)
    assert judged([seen(ROUTES, text, second=True)]).checked[0].result == EXPECTED


def test_the_table_says_what_each_name_is_of() -> None:
    report = judged([seen(ROUTES, in_second(ROUTES), second=True)])
    assert Named("worker 2: block", "172.16.140.64/26", "10.244.9.64/26") in report.names
    assert Named("worker 1: name", "node01", "blue") in report.names
    assert report.text().splitlines()[:3] == [
        "                            the book           yours",
        "the control plane: address  192.168.56.10      10.1.2.10",
        "the control plane: block    172.16.49.64/26    10.244.3.64/26",
    ]


# --- a cluster whose carrier has words of its own ---------------------------------


OWN = Fit(
    "living-book",
    {"controlplane": "boss", "node01": "blue", "node02": "red"},
    {"192.168.56.10": "10.1.2.10", "192.168.56.11": "10.1.2.11", "192.168.56.12": "10.1.2.12",
     "172.16.196.147": "10.244.7.19", "172.16.196.148": "10.244.7.20"},
    {"172.16.0.0/16": "10.244.0.0/16", "172.16.196.128/26": "10.244.7.0/26", "172.16.140.64/26": "10.244.9.0/26",
     "172.16.49.64/26": "10.244.3.0/26"},
)  # fmt: skip


class OwnCluster(FakeCarrier):
    """A cluster of the reader's own, in whose namespace devices have other names."""

    name = "attached"
    namespace = OWN.namespace

    def fit_for(self, name: str | None) -> Fit:
        return OWN


def on_own_cluster(name: str, monkeypatch: pytest.MonkeyPatch, edit: Callable[[str], str] = str) -> Report:
    """What `lab check` says when that cluster prints the book's transcript in its own words, edited."""
    snippet = SNIPPETS[name]
    asked: list[Path] = []

    def execute(one: Snippet, *, workers: object) -> Run:
        asked.append(one.path)
        return Run(edit(Words(OWN, tuple(names_in(pods))).yours(OUTS[name])), [])

    pods = scenario.path_of("pods").read_text()
    monkeypatch.setattr(compare, "execute", execute)
    report = judged([compare.Witness(OwnCluster()).see(snippet)])
    # Its carrier translates the snippet; twice would be wrong.
    assert asked == [snippet.path]
    return report


def test_a_carrier_with_words_of_its_own_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link's name follows from the namespace, and the table tells what is what."""
    report = on_own_cluster(LINE, monkeypatch)
    assert [each.result for each in report.checked] == [EXPECTED] and report.status == 0
    assert Named("pod default/pod2: address", "172.16.196.148", "10.244.7.20") in report.names


def test_a_fault_on_it_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    other = identity.cable("living-book", "pod1")
    report = on_own_cluster(LINE, monkeypatch, lambda text: re.sub("cali[0-9a-f]{11}", other, text))
    assert report.checked[0].result == MEANING and report.status == 1
    mine = identity.cable("living-book", "pod2")
    assert sentences(report) == [f"blue: the route to 10.244.7.20 leaves through {other}, not through {mine}"]
    assert "docs/pod-to-pod.md" in report.text()


def test_what_is_skipped_is_neither_same_nor_different() -> None:
    assert Report((), skipped={"a/b": "another plugin"}).status == 2
    report = Report((Checked("a/c", SAME, 1.0),), skipped={"a/b": "another plugin"})
    assert report.status == 0 and report.text().endswith("0 differ in meaning, 1 skipped; 0.0 s")


# --- near misses -------------------------------------------------------------------


@pytest.mark.parametrize("second", [False, True], ids=["book's names", "other names"])
@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        # Two pods of one node swapped: the address of one leads into the cable of the other.
        (LINE, "148 dev calibd2348b4f67", "148 dev calice0906292e2", "leaves through calice0906292e2"),
        # A route by another node's address, at one place and at every place.
        (ROUTES, "172.16.140.64/26 via 192.168.56.12", "172.16.140.64/26 via 192.168.56.10", "goes by 192.168.56.10"),
        (ROUTES, "via 192.168.56.12 ", "via 192.168.56.10 ", "goes by 192.168.56.10, not by 192.168.56.12"),
        (ROUTES, "via 192.168.56.12 ", "via 192.168.56.99 ", "goes by 192.168.56.99, not by 192.168.56.12"),
        # Two nodes' blocks swapped on one node.
        (ROUTES, "blackhole 172.16.196.128/26", "blackhole 172.16.140.64/26", "to 172.16.196.128/26 is missing"),
        # The endpoint of another pod, or of another port.
        (WEB, "--to-destination 172.16.140.80:8080", "--to-destination 172.16.140.81:8080", "sends to"),
        (WEB, "--to-destination 172.16.140.80:8080", "--to-destination 172.16.140.80:9", "sends to"),
        # A Service's chain that is not the hash of the Service.
        ("cluster_ip/ping_fails", "-j KUBE-SVC-LOLE4ISW44XBNF3G", "-j KUBE-SVC-AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"),
        # A constant of the design: every pod has the same next hop, and it is nobody's address.
        ("pod_to_pod/pod_address", "169.254.1.1", "169.254.1.2", "169.254.1.2"),
        ("pod_to_pod/veth_pair", "ee:ee:ee:ee:ee:ee", "ee:ee:ee:ee:ee:ef", "ee:ee:ee:ee:ee:ef"),
    ],
)  # fmt: skip
def test_what_looks_like_a_renaming_and_is_none(name: str, old: str, new: str, told: str, second: bool) -> None:
    """Told in the cluster's own names, with the page and a cause."""
    before, after, told = (moved(each) if second else each for each in (old, new, told))
    text = in_second(name) if second else OUTS[name]
    known = seen(name, "", second=second).known
    before, after = known.apply(before), known.apply(after)
    assert before in text
    report = judged([seen(name, text.replace(before, after), second=second)])
    assert report.checked[0].result == MEANING and report.status == 1
    assert any(told in sentence for sentence in sentences(report)), sentences(report)
    assert all(each.book and each.why and each.look for each in report.checked[0].differences)


def test_a_fault_in_one_snippet_does_not_spoil_the_others() -> None:
    """One renaming for all: where a name is another one only once, that place is the fault."""
    broken = in_second(ROUTES).replace("10.244.9.64/26 via 10.1.2.12", "10.244.9.64/26 via 10.1.2.10", 1)
    report = judged([seen(ROUTES, broken, second=True), seen(LINE, in_second(LINE), second=True)])
    assert {each.snippet: each.result for each in report.checked} == {ROUTES: MEANING, LINE: EXPECTED}
    assert sentences(report) == ["boss: the route to 10.244.9.64/26 goes by 10.1.2.10, not by 10.1.2.12"]
    assert "docs/pod-to-pod.md" in report.text()


def test_names_that_two_owners_share_are_a_fault() -> None:
    """Two pods with one address: that is no renaming, whatever the outputs say."""
    one = seen(LINE, OUTS[LINE])
    shared = {**one.yours.owners, "pod default/pod1: address": "172.16.196.148"}
    report = judged([Seen(one.snippet, one.old, one.new, book=one.book, yours=identity.World(shared))])
    assert report.faults == ("172.16.196.148 stands for 172.16.196.147 and for 172.16.196.148",)
    assert report.status == 1 and "not one consistent renaming" in report.text()


def test_a_broken_assertion_is_told_with_what_it_says() -> None:
    """Also when no output differs."""
    error = f"{LINE} failed\n  {LINE}.py, line 14:\n    assert routes[0].gateway is None\n  this does not hold"
    report = judged([seen(LINE, OUTS[LINE], error=error)])
    assert report.checked[0].result == MEANING
    assert [each.finding.kind for each in report.checked[0].differences] == [Kind.CLAIM_BROKEN]
    assert "`assert routes[0].gateway is None`" in report.text() and f"lab run {LINE}" in report.text()


def test_a_cluster_that_does_not_answer_is_no_match() -> None:
    report = judged([seen(LINE, "", error="node01 is not reachable")])
    assert report.checked[0].result == MEANING and report.checked[0].differences == ()
    assert report.text().splitlines()[:2] == [f"{LINE}: differs in meaning", "  node01 is not reachable"]


# --- causes ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.COSMETIC])
def test_every_kind_of_finding_has_a_cause_and_a_next_command(kind: Kind) -> None:
    why, look = explained(Finding(kind, "node01", "ip route", "x y", "", "", ""))
    assert why.endswith(".") and look.startswith("lab ") and "{" not in look


def test_the_cause_fits_what_the_finding_is_about() -> None:
    pod = Finding(Kind.ROUTE_MISSING, "node01", "ip route", "172.16.196.148/32", "dev calibd2348b4f67", "", "")
    block = Finding(Kind.ROUTE_MISSING, "node02", "ip route | grep bird", "172.16.49.64/26", "x", "", "")
    assert "Felix" in cause_of(pod).why and "BIRD" in cause_of(block).why
    assert explained(block)[1] == "lab ssh node02 -- birdcl -s /run/calico/bird.ctl show protocols"
    lost = Finding(Kind.ANSWER_MISSING, "node01/pod2", "ping -c 1 \\\n  172.16.1.1", "ping", "", "", "")
    assert explained(lost)[1] == "lab kubectl -- exec pod2 -- sh -c 'ping -c 1 172.16.1.1'"
    assert len({cause.why for cause in CAUSES}) == len(CAUSES)


# --- the command -------------------------------------------------------------------


@pytest.fixture
def running(lab: Lab, fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A running cluster with one captured snippet, whose objects say what the book's say."""
    from lab import runner

    runner.update([])
    worlds = {
        "of_book": identity.World({"gate": "192.168.56.1"}),
        "of_cluster": identity.World({"gate": "192.168.56.1"}),
    }
    monkeypatch.setattr(identity, "of_book", lambda scenarios: worlds["of_book"])
    monkeypatch.setattr(identity, "of_cluster", lambda carrier: worlds["of_cluster"])
    return lab


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["check", *words])
    return done.exit_code, done.output


def test_the_same_ends_with_0(running: Lab) -> None:
    status, said = command("demo")
    assert status == 0
    assert "1 snippet: 1 same, 0 differ as expected, 0 differ in meaning" in said


def test_other_names_end_with_0_and_a_table(running: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippet asks and asserts in the cluster's own names."""
    other = identity.World({"gate": "10.9.9.1"})
    monkeypatch.setattr(identity, "of_cluster", lambda carrier: other)
    running.on("node01", "ip route", stdout="default via 10.9.9.1 dev eth0\n")
    status, said = command("demo")
    assert status == 0 and "differs as expected:\n  demo/routes" in said
    assert re.search(r"^gate +192\.168\.56\.1 +10\.9\.9\.1$", said, flags=re.M)


def test_assertions_speak_of_the_cluster_s_own_names(
    running: Lab, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A literal address in question and assertion is translated; the file itself is not touched."""
    from lab import runner

    text = ROUTE.replace('"ip route"', '"ip route get 192.168.56.1"').replace("default", "192.168.56.1 dev")
    path = write("snippets/demo/routes.py", text)
    running.on("node01", "ip route get 192.168.56.1", stdout="192.168.56.1 dev eth0\n")
    running.on("node01", "ip route get 10.9.9.1", stdout="10.9.9.1 dev eth0\n")
    runner.update(["demo"])
    monkeypatch.setattr(identity, "of_cluster", lambda carrier: identity.World({"gate": "10.9.9.1"}))
    assert command("demo")[0] == 0
    assert path.read_text() == text


def test_another_meaning_ends_with_1_and_a_report(running: Lab, tmp_path: Path) -> None:
    running.on("node01", "ip route", stdout="default via 192.168.56.9 dev eth0\n")
    status, said = command("demo", "--json", str(tmp_path / "report.json"))
    assert status == 1
    assert "node01: the route to default goes by 192.168.56.9, not by 192.168.56.1" in said
    assert "usual cause: " in said and "look: lab ssh node01 -- ip route" in said
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["status"], report["counts"]) == (1, {SAME: 0, EXPECTED: 0, MEANING: 1})
    assert report["snippets"][0]["differences"][0]["finding"]["kind"] == "next hop changed"


def test_a_failed_assertion_ends_with_1(running: Lab) -> None:
    running.on("node01", "ip route", stdout="")
    status, said = command("demo")
    assert status == 1
    assert "the route to default is missing" in said and 'assert "default" in out.stdout' in said


@pytest.mark.parametrize("words", [["no_such_chapter"], [], ["demo", "--json", "no/such/folder.json"], ["--what"]])
def test_what_cannot_be_compared_ends_with_2(running: Lab, words: list[str]) -> None:
    status, said = command(*words)
    assert status == 2 and "Traceback" not in said


def test_without_a_lab_it_ends_with_2(running: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> FakeCarrier:
        raise LabError("no lab is running in this checkout", hint="start it: lab up")

    monkeypatch.setattr(carriers, "connect", none)
    status, said = command("demo")
    assert status == 2 and "start it: lab up" in said


def test_a_snippet_that_was_not_run_counts(running: Lab, write: Write) -> None:
    """Without a capture there is nothing to compare with."""
    write("snippets/demo/new.py", ROUTE)
    status, said = command("demo")
    assert status == 1 and "demo/new: differs in meaning\n  demo/new has no new.out" in said


def test_without_a_cluster_nothing_is_asked_about_names(running: Lab, fake: FakeCarrier) -> None:
    fake.name = "here"
    assert compare.Witness(fake)._both(None) == (compare.NOBODY, compare.NOBODY)


def test_who_breaks_the_cluster_is_told_the_same_findings(running: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.judge(find("demo/routes")).result == verdicts.UNCHANGED
    running.on("node01", "ip route", stdout="default via 192.168.56.9 dev eth0\n")
    verdict = check.judge(find("demo/routes"))
    assert verdict.result == verdicts.CHANGED
    assert [finding.kind for finding in verdict.findings] == [Kind.NEXT_HOP_CHANGED]
    assert "usual cause" in capsys.readouterr().out


def test_json_holds_the_whole_report(tmp_path: Path) -> None:
    report = Report((Checked("a/b", EXPECTED, 1.23456),), (Named("gate", "a", "b"),), seconds=2.0)
    report.write_json(tmp_path / "x.json", now=datetime(2026, 11, 28, tzinfo=UTC))
    kept = json.loads((tmp_path / "x.json").read_text())
    assert (kept["schema"], kept["date"], kept["status"]) == (1, "2026-11-28T00:00:00Z", 0)
    assert kept["names"] == [{"what": "gate", "book": "a", "yours": "b"}]
    assert kept["snippets"] == [
        {"snippet": "a/b", "result": EXPECTED, "seconds": 1.235, "differences": [], "error": ""}
    ]
