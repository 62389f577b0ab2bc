"""Replay: captures answer in place of the lab, and every snippet of the book holds on them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from apiserver import StandIn
from fakes import FakeCarrier, pod
from playing import play

from lab import noise, paths, receipt, snippets
from lab.capture import Answer, Started, Step, read_record, transcript
from lab.carriers import connect, replay
from lab.carriers.replay import ReplayCarrier
from lab.errors import LabError
from lab.receipt import Receipt
from lab.snippets import Snippet

Write = Callable[[str, str], Path]

EVERYTHING = '''"""Asks each source once."""
from lab import cluster

cluster.needs("pods")
node01, pod2 = cluster.node("node01"), cluster.pod("pod2")
node01.quiet("sysctl -w x=1")
node01.wait_until("ip link show cali0")
with node01.background("echo ready >&2; echo seen", ready="ready") as seen:
    out = pod2.run("ip route", status=2)
assert out.stdout == "default\\n" and seen.result.lines == ["seen"]
assert cluster.core.list_namespaced_pod("default").items[0].metadata.name
assert (pod2.address, pod2.pid) == ("172.16.196.148", 812)
names = [link.name for link in node01.links()]
assert "lo" in names
for number in ("1", "2", "2"):
    assert node01.run("cat count").lines == [number]
'''
FAILURE = json.dumps({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "2"}]}}).encode()


@pytest.fixture
def everything(
    write: Write, fake: FakeCarrier, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Snippet:
    """A snippet that asks each source, captured from a fake lab."""
    write("snippets/scenarios/pods.yaml", "kind: Pod\n")
    snippet = snippets.read(write("snippets/demo/everything.py", EVERYTHING))
    status = {"containerID": "containerd://abc", "name": "main", "image": "i", "imageID": "i", "ready": True}
    server.objects["/api/v1/namespaces/default/pods/pod2"] = pod(
        status={"containerStatuses": [{**status, "restartCount": 0}]}
    )
    server.exec = lambda command: ([(1, b"default\n"), (3, FAILURE)], True)
    kubeconfig = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: kubeconfig)
    fake.on("node01", "sysctl -w x=1", stdout="x = 1\n")
    fake.on("node01", "ip link show cali0")
    fake.on("node01", "grep -ls abc /proc/[0-9]*/cgroup", stdout="/proc/812/cgroup\n")
    fake.on("node01", "cat count", stdout="1\n")
    fake.on("node01", "cat count", stdout="2\n")
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("LAB_SCENARIO", "pods")
    text = play(snippet.path, fake)
    events = read_record(tmp_path / "record")
    assert text == transcript(events)
    made = receipt.make(
        snippet,
        text,
        [event for event in events if isinstance(event, Step)],
        [event for event in events if isinstance(event, Answer)],
        carrier="fake",
        versions={"linux": "7.3.4"},
        commit=None,
    )
    assert any(isinstance(event, Started) for event in events)
    receipt.save(snippet, text, made)
    monkeypatch.delenv("LAB_RECORD")
    monkeypatch.delenv("LAB_SCENARIO")
    fake.asked.clear()
    server.requests.clear()
    return snippet


def test_a_run_is_replayed_from_its_capture(everything: Snippet, fake: FakeCarrier, server: StandIn) -> None:
    """The same transcript and the same assertions, and nothing is applied or asked."""
    assert play(everything.path, replay.of(everything)) == everything.out.read_text()
    assert (fake.asked, server.requests) == ([], [])


def test_an_assertion_is_judged_again(everything: Snippet) -> None:
    """A snippet that claims something else fails on the same answers."""
    everything.path.write_text(EVERYTHING.replace('"lo" in names', '"eth9" in names'))
    with pytest.raises(AssertionError):
        play(everything.path, replay.of(everything))


@pytest.mark.slow
def test_a_snippet_by_hand_replays(everything: Snippet, project: Path) -> None:
    """`python snippets/x/y.py --carrier replay`, in a process of its own, with its own capture."""
    prelude = "import pathlib; from lab import paths; "
    prelude += f"paths.SNIPPETS = pathlib.Path({str(project / 'snippets')!r})"
    (project / "sitecustomize.py").write_text(prelude)
    places = [str(project), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    words = [sys.executable, str(everything.path), "--carrier", "replay"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (everything.out.read_text(), "", 0)


def step(command: str, stdout: str = "", node: str = "node01") -> Step:
    """A command that ended well."""
    return Step(node, command, 0, stdout, "", 0.1)


def capture(name: str, *steps: Step, answers: tuple[Answer, ...] = (), date: str = "2026-11-24") -> Receipt:
    """A receipt with these steps and answers."""
    path = paths.SNIPPETS / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    made = receipt.make(
        Snippet(name, path, "", None), "", steps, answers, carrier="fake", versions={"of": date}, commit=None
    )
    return replace(made, date=date)


def ask(carrier: ReplayCarrier, command: str, node: str = "node01") -> str:
    """What a command prints."""
    return carrier.execute(node, command).stdout


def test_answers_come_in_turn_and_the_last_one_stays(project: Path) -> None:
    """As the snippet got them; what polls goes on getting the last."""
    carrier = ReplayCarrier([capture("demo/a", step("date", "1"), step("date", "2"))])
    assert [ask(carrier, "date") for _ in range(4)] == ["1", "2", "2", "2"]


def test_the_captures_of_the_scenario_answer_first(project: Path) -> None:
    """Other pods stand in other scenarios; what only these captures know is still known."""
    other, wanted = capture("demo/a", step("date", "1"), step("ls", "x")), capture("demo/b", step("date", "2"))
    carrier = ReplayCarrier([other, replace(wanted, scenario="pods")])
    assert ask(carrier, "date") == "1"
    carrier.stand("pods")
    assert (ask(carrier, "date"), ask(carrier, "ls")) == ("2", "x")


def test_places_are_told_apart(project: Path) -> None:
    """The same command on two nodes, in a pod, and in a pod of the same name elsewhere."""
    here, there = step("ip route", "1"), step("ip route", "2", node="node02")
    inside = replace(here, stdout="3", pod="dns")
    elsewhere = replace(inside, stdout="4", namespace="kube-system")
    carrier = ReplayCarrier([capture("demo/a", here, there, inside, elsewhere)])
    places = ("node01", "node02", "node01/dns", "node01/kube-system/dns")
    assert [ask(carrier, "ip route", place) for place in places] == ["1", "2", "3", "4"]


def test_the_first_capture_that_knows_answers(project: Path) -> None:
    """Captures are not mixed within one question: they may be of different states."""
    first, second = capture("demo/a", step("x", "1")), capture("demo/b", step("x", "2"), step("y", "3"))
    carrier = ReplayCarrier([first, second])
    assert [ask(carrier, command) for command in ("x", "x", "y")] == ["1", "1", "3"]


def test_versions_are_those_of_the_newest(project: Path) -> None:
    """A reader wants to know what answered."""
    old, new = capture("demo/a", date="2026-11-23"), capture("demo/b", date="2026-11-24")
    assert ReplayCarrier([new, old]).versions() == {"of": "2026-11-24"}


def test_an_unknown_command_says_which_are_known(project: Path) -> None:
    """The nearest first, and how to have it captured."""
    carrier = ReplayCarrier([capture("demo/a", step("ip -4 addr"), step("ip route"), step("ls", node="node02"))])
    with pytest.raises(LabError) as caught:
        ask(carrier, "ip routes")
    assert str(caught.value) == (
        "node01: the capture of demo/a does not know `ip routes` (command)\n"
        "  known there:\n    ip route\n    ip -4 addr\n"
        "  hint: with a lab, capture it again: lab update demo/a"
    )


def test_an_unknown_place_says_which_are_known(project: Path) -> None:
    """Nothing was asked there."""
    with pytest.raises(LabError, match="node02: the capture of demo/a does not know `ls`") as caught:
        ask(ReplayCarrier([capture("demo/a", step("ls"))]), "ls", "node02")
    assert "nothing there, but at node01" in caught.value.detail


def test_an_unknown_question_of_another_kind(project: Path) -> None:
    """Of the API server nothing at all is known."""
    with pytest.raises(LabError, match="the captures do not know `GET /version`") as caught:
        ReplayCarrier([capture("demo/a"), capture("demo/b")]).recall("api", "", "GET /version")
    assert "nothing of this kind" in caught.value.detail
    assert caught.value.hint == "with a lab, ask it: lab up"


def test_many_known_commands_are_not_all_shown(project: Path) -> None:
    """A page of them helps nobody."""
    carrier = ReplayCarrier([capture("demo/a", *(step(f"cat {number}") for number in range(30)))])
    with pytest.raises(LabError) as caught:
        ask(carrier, "cat 30")
    assert len(caught.value.detail.splitlines()) == 14
    assert caught.value.detail.endswith("and 18 more")


@pytest.mark.parametrize("reach", ["ssh_command", "kubeconfig"])
def test_there_is_nothing_to_reach(project: Path, reach: str) -> None:
    """What needs a real node says how to get one."""
    carrier = ReplayCarrier([capture("demo/a")])
    with pytest.raises(LabError, match="captures answer in its place") as caught:
        getattr(carrier, reach)(*(["node01"] if reach == "ssh_command" else []))
    assert caught.value.hint == "start a lab: lab up"


def test_an_older_capture_says_what_to_do(everything: Snippet) -> None:
    """Schema 1 had no raw output and no answers."""
    entry = json.loads(everything.receipt.read_text()) | {"schema": 1}
    everything.receipt.write_text(json.dumps(entry))
    for load in (lambda: replay.of(everything), replay.of_all):
        with pytest.raises(LabError, match="has the older schema 1") as caught:
            load()
        assert caught.value.hint == "capture it with: lab update demo/everything"


def test_no_captures_at_all(write: Write) -> None:
    """Nothing to replay is told."""
    write("snippets/demo/new.py", '"""New."""\n')
    with pytest.raises(LabError, match="there are no captures to replay") as caught:
        replay.of_all()
    assert "lab update" in caught.value.hint


def test_other_programs_ask_all_captures(everything: Snippet, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python prompt is no snippet; what has no capture yet does not disturb."""
    write("snippets/demo/new.py", '"""New."""\n')
    monkeypatch.setenv("LAB_CARRIER", "replay")
    assert connect().execute("node01", "cat count").stdout == "1\n"


# --- the book itself -------------------------------------------------------------

BOOK = snippets.discover()


@pytest.fixture(scope="module")
def played() -> dict[str, tuple[str | Exception, float]]:
    """Each snippet of the book: its transcript or its failure, and the seconds of the processor that it took."""
    found: dict[str, tuple[str | Exception, float]] = {}
    for snippet in BOOK:
        begun = time.process_time()
        text: str | Exception
        try:
            text = play(snippet.path, replay.of(snippet))
        except Exception as error:  # each is raised in its own test
            text = error
        found[snippet.name] = (text, time.process_time() - begun)
    return found


@pytest.mark.parametrize("snippet", BOOK, ids=str)
def test_a_snippet_holds_on_its_capture(snippet: Snippet, played: dict[str, tuple[str | Exception, float]]) -> None:
    """Its assertions hold on the recorded answers, and what it shows is what the page shows, apart from noise."""
    shown, _ = played[snippet.name]
    if isinstance(shown, Exception):
        raise shown
    assert noise.normalise(shown) == noise.normalise(snippet.out.read_text())


def test_the_book_replays_in_five_seconds(played: dict[str, tuple[str | Exception, float]]) -> None:
    """All snippets together, the clients' imports included."""
    assert played
    assert sum(seconds for _, seconds in played.values()) < 5
