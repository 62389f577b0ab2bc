"""The mutation check: who must see what, what counts as seen, and a repair that always comes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from fakes import FakeCarrier, eventually

from lab import carriers, drift, mutate, scenario, snippets, verdicts, witnesses
from lab.cli import main
from lab.drift import Finding, Kind
from lab.errors import LabError
from lab.mutations import MUTATIONS, Mutation, Sight, select
from lab.snippets import Snippet
from lab.verdicts import Verdict
from lab.witnesses import Plan

KEPT = "node01$ ip route\nblackhole 172.16.196.128/26 proto bird\ndefault via 192.168.56.1 dev eth0\n"
HOLE = Mutation(
    "hole",
    "the hole is gone",
    "node01",
    Sight("route", "172.16.196.128/26"),
    ("ip route del 172.16.196.128/26",),
    ("ip route replace blackhole 172.16.196.128/26",),
    Kind.ROUTE_MISSING,
    "172.16.196.128/26",
    stop=("^bird ",),
)
STOP, CONT = "kill -STOP $(pgrep -f '^bird ')", "pgrep -f '^bird ' | xargs -r kill -CONT"
HARM, REPAIR = HOLE.harm[0], HOLE.repair[0]
COMMITTED = witnesses.transcripts(snippets.discover())


def snippet(name: str = "demo/routes", **more: object) -> Snippet:
    """A snippet that nobody reads."""
    return Snippet(name, Path(f"snippets/{name}.py"), "", **{"scenario": None, **more})  # type: ignore[arg-type]


def verdict(now: str, *, name: str = "demo/routes", error: str = "") -> Verdict:
    """What `judge` would say of this answer."""
    findings = tuple(drift.explain(KEPT, now))
    result = verdicts.FAILED if error else verdicts.CHANGED if findings else verdicts.UNCHANGED
    return Verdict(name, result, 0.0, findings, error=error)


GREEN = verdict(KEPT)
RED = verdict(KEPT.replace("blackhole 172.16.196.128/26 proto bird\n", ""))
OTHER = verdict(KEPT.replace("56.1 ", "56.9 "))


class Judge:
    """Says what a test says, in turn, and what was asked of the node until then."""

    def __init__(self, fake: FakeCarrier, *answers: Verdict | BaseException) -> None:
        self.fake = fake
        self.answers: Iterator[Verdict | BaseException] = iter(answers)
        self.asked_before: list[list[str]] = []

    def __call__(self, snippet: Snippet) -> Verdict:
        self.asked_before.append([command for _, command in self.fake.asked])
        answer = next(self.answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def node(fake: FakeCarrier, project: Path) -> FakeCarrier:
    """A node that takes the mutation's commands, and a state folder."""
    (project / ".lab").mkdir()
    for command in (STOP, HARM, REPAIR, CONT):
        fake.on("node01", command)
    return fake


def commands(fake: FakeCarrier) -> list[str]:
    """What the node was asked, in order."""
    return [command for _, command in fake.asked]


PLAN = Plan(HOLE, (snippet(),))


def test_green_red_green(node: FakeCarrier) -> None:
    """Stopped, broken, judged, repaired, resumed, judged again."""
    judge, green = Judge(node, GREEN, RED, GREEN), set[str]()
    sentence, faults = mutate.one(PLAN, node, green, judge)
    assert (sentence, faults) == ("node01: the route to 172.16.196.128/26 is missing", [])
    assert commands(node) == [STOP, HARM, REPAIR, CONT]
    assert judge.asked_before == [[], [STOP, HARM], [STOP, HARM, REPAIR, CONT]]
    assert green == {"demo/routes"}
    assert not mutate.journal().exists()


def test_what_was_green_after_a_repair_is_not_asked_before_the_next_harm(node: FakeCarrier) -> None:
    """One run less for each mutation."""
    assert mutate.one(PLAN, node, {"demo/routes"}, Judge(node, RED, GREEN))[1] == []


def test_green_where_red_was_due_is_a_fault(node: FakeCarrier) -> None:
    """The book did not see it."""
    sentence, faults = mutate.one(PLAN, node, set(), Judge(node, GREEN, GREEN, GREEN))
    assert sentence == ""
    assert faults[0] == "demo/routes stays green: it shows what was broken, and does not see it"
    assert "no finding says 'route missing: 172.16.196.128/26 on node01'" in faults[1]
    assert commands(node)[-2:] == [REPAIR, CONT]


def test_red_before_anything_is_broken_breaks_nothing(node: FakeCarrier) -> None:
    """A verdict on a cluster that is broken already would mean nothing."""
    _, faults = mutate.one(PLAN, node, set(), Judge(node, OTHER))
    assert len(faults) == 1 and "is red before anything is broken" in faults[0]
    assert commands(node) == []


def test_red_after_the_repair_is_a_fault(node: FakeCarrier) -> None:
    """The repair of the mutation is not right, or the cluster is not."""
    green: set[str] = set()
    _, faults = mutate.one(PLAN, node, green, Judge(node, GREEN, RED, RED))
    assert len(faults) == 1 and "stays red after the repair" in faults[0]
    assert green == set()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), LabError("the node does not answer"), ValueError("a bug")])
def test_the_repair_comes_whatever_happens(node: FakeCarrier, error: BaseException) -> None:
    """Ctrl-C, a lost node, a bug of ours."""
    judge = Judge(node, GREEN, error, GREEN)
    if isinstance(error, LabError):
        assert mutate.one(PLAN, node, set(), judge)[1] == ["the node does not answer"]
    else:
        with pytest.raises(type(error)):
            mutate.one(PLAN, node, set(), judge)
    assert commands(node) == [STOP, HARM, REPAIR, CONT]
    assert not mutate.journal().exists()


def test_a_harm_that_fails_is_a_fault_and_is_repaired(project: Path, fake: FakeCarrier) -> None:
    """Half of it may have been done."""
    (project / ".lab").mkdir()
    fake.on("node01", HARM, status=2, stderr="RTNETLINK answers: No such process\n")
    for command in (STOP, REPAIR, CONT):
        fake.on("node01", command)
    _, faults = mutate.one(PLAN, fake, set(), Judge(fake, GREEN, GREEN))
    assert len(faults) == 1 and "exited 2" in faults[0] and "No such process" in faults[0]
    assert commands(fake) == [STOP, HARM, REPAIR, CONT]


def test_a_daemon_is_resumed_even_where_the_repair_fails(project: Path, fake: FakeCarrier) -> None:
    """Every command is tried; then nothing more is asked of this cluster."""
    (project / ".lab").mkdir()
    fake.on("node01", REPAIR, status=1, stderr="no\n")
    for command in (STOP, HARM, CONT):
        fake.on("node01", command)
    with pytest.raises(mutate.RepairError, match="hole could not be repaired on node01") as caught:
        mutate.one(PLAN, fake, set(), Judge(fake, GREEN, RED))
    assert "lab mutate --repair" in caught.value.hint
    assert commands(fake)[-1] == CONT
    # The next run knows what is broken.
    assert json.loads(mutate.journal().read_text()) == {"name": "hole", "node": "node01"}


def test_a_cluster_that_does_not_settle_is_told(node: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the node and the condition."""
    monkeypatch.setattr(mutate, "SETTLE", 0.0)
    node.on("controlplane", "sessions up")
    node.on("node01", "sessions up", status=1)
    node.on("node02", "sessions up")
    plan = replace(PLAN, mutation=replace(HOLE, settled="sessions up"))
    with pytest.raises(mutate.RepairError) as caught:
        mutate.one(plan, node, set(), Judge(node, GREEN, RED))
    assert "node01: after 0 s this does not hold: sessions up" in caught.value.detail


def test_the_repair_waits_until_every_node_settled(node: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again until it holds."""
    slept: list[float] = []
    monkeypatch.setattr(mutate.time, "sleep", slept.append)
    for name in ("controlplane", "node02"):
        node.on(name, "sessions up")
    node.on("node01", "sessions up", status=1)
    node.on("node01", "sessions up", status=0)
    plan = replace(PLAN, mutation=replace(HOLE, settled="sessions up"))
    assert mutate.one(plan, node, set(), Judge(node, GREEN, RED, GREEN))[1] == []
    assert len(slept) == 1


def finding(kind: Kind, subject: str, node: str = "node01") -> Finding:
    """A finding with no more than what is judged."""
    return Finding(kind, node, "x", subject, "a", "b", f"{node}: {kind} {subject}")


def judged(*found: Finding) -> list[str]:
    """What is wrong with these findings."""
    return mutate.weigh(HOLE, [Verdict("demo/routes", verdicts.CHANGED, 0.0, found)])[1]


NAMED = finding(Kind.ROUTE_MISSING, "172.16.196.128/26")


def test_only_the_right_finding_counts() -> None:
    """Kind, node and subject."""
    assert judged(NAMED) == []
    for wrong in (
        finding(Kind.ROUTE_ADDED, "172.16.196.128/26"),
        finding(Kind.ROUTE_MISSING, "172.16.196.0/26"),
        finding(Kind.ROUTE_MISSING, "172.16.196.128/26", "node02"),
    ):
        assert "no finding says" in judged(wrong)[0]


def test_another_changed_state_is_a_fault() -> None:
    """What was not broken must not be told; what follows from the harm may be."""
    (fault,) = judged(NAMED, finding(Kind.MTU_CHANGED, "tunl0"))
    assert fault.startswith("this was not broken: MTU changed")
    assert judged(NAMED, finding(Kind.ANSWER_MISSING, "ping 1 of x"), finding(Kind.STATUS_CHANGED, "ping")) == []
    other = Verdict("demo/routes", verdicts.CHANGED, 0.0, (NAMED, finding(Kind.MTU_CHANGED, "tunl0")))
    assert mutate.weigh(replace(HOLE, also=(Kind.MTU_CHANGED,)), [other])[1] == []


def test_every_witness_must_be_red() -> None:
    """One that stays green is told, though another named it."""
    _, faults = mutate.weigh(HOLE, [RED, replace(GREEN, snippet="demo/other")])
    assert faults == ["demo/other stays green: it shows what was broken, and does not see it"]


# --- who must see what -----------------------------------------------------------


def test_witnesses_are_those_that_show_it() -> None:
    """By what the transcript means, not by its words."""
    kept = {
        snippet("demo/routes"): KEPT,
        snippet("demo/other_node"): KEPT.replace("node01", "node02"),
        snippet("demo/in_a_pod"): KEPT.replace("node01", "node01/pod2"),
        snippet("demo/in_a_namespace"): KEPT.replace("$ ip", "$ ip netns exec red ip"),
        snippet("demo/words"): "node01$ echo 172.16.196.128/26\n172.16.196.128/26\n",
    }
    plan = witnesses.plan(HOLE, kept)
    assert plan and [each.name for each in plan.witnesses] == ["demo/routes"]
    assert witnesses.plan(replace(HOLE, sight=Sight("route", "10.0.0.0/8")), kept) is None


def test_a_sandbox_is_no_node() -> None:
    """What is broken on a node is not seen on a host that a snippet built for itself."""
    anywhere = replace(HOLE, node="")
    kept = {snippet("demo/in_the_sandbox"): KEPT.replace("node01", "sandbox")}
    assert witnesses.plan(anywhere, kept) is None
    plan = witnesses.plan(anywhere, {**kept, snippet("demo/routes"): KEPT})
    assert plan and plan.mutation.node == "node01"


def test_witnesses_share_a_scenario_and_are_few() -> None:
    """The scenario that the most of them need."""
    kept = {snippet(f"demo/p{number}", scenario="pods"): KEPT for number in range(5)}
    kept[snippet("demo/bare")] = KEPT
    plan = witnesses.plan(HOLE, kept)
    assert plan and plan.scenario == "pods"
    assert [each.name for each in plan.witnesses] == ["demo/p0", "demo/p1", "demo/p2"]


def test_a_rule_is_taken_from_a_transcript() -> None:
    """Its node, its chain and its words fill the mutation."""
    rule = """-A KUBE-SVC-X -m comment --comment "a -> b" -m statistic --mode random --probability 0.5 -j KUBE-SEP-Y"""
    mutation = replace(
        HOLE,
        node="",
        sight=Sight("rule", "-A KUBE-SVC-.*", "probability"),
        harm=("grep -vxF -e @RULE@ f", "sed /@CHAIN@/d f"),
        subject="@CHAIN@ -> .*",
    )
    plan = witnesses.plan(mutation, {snippet(): f"node02$ iptables -t nat -S KUBE-SVC-X\n{rule}\n"})
    assert plan and plan.mutation.node == "node02"
    assert plan.mutation.harm == (f"grep -vxF -e '{rule}' f", "sed /KUBE-SVC-X/d f")
    assert plan.mutation.subject == "KUBE-SVC-X -> .*"


def test_a_mutation_that_nobody_sees_is_a_fault_unless_its_reason_is_known() -> None:
    """A reason is told, not hidden."""
    report, plans = mutate.prepare([HOLE, replace(HOLE, name="known", uncovered="no chapter yet")], {})
    assert plans == []
    assert report.faults == {"hole": ["nobody looks at it: no kept transcript shows that the hole is gone"]}
    assert report.excused == {"known": "no chapter yet"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_every_mutation_is_seen_by_the_book_or_excused(mutation: Mutation) -> None:
    """With the committed captures, and without a cluster; an excuse that is not needed any more goes."""
    plan = witnesses.plan(mutation, COMMITTED)
    assert (plan is None) == bool(mutation.uncovered)
    if plan:
        assert plan.mutation.node
        assert not any("@" in text for text in (*plan.mutation.harm, plan.mutation.subject))


@pytest.mark.slow
def test_the_catalogue_is_sound() -> None:
    """Enough of them, each with its own name, its words and its repair."""
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names)) >= 15
    assert sum(witnesses.plan(mutation, COMMITTED) is not None for mutation in MUTATIONS) >= 15
    for mutation in MUTATIONS:
        assert mutation.harm and mutation.breaks
        assert mutation.repair or mutation.stop
        assert mutation.sight.what or mutation.sight.command


def test_an_unknown_name_is_told() -> None:
    """With the command that lists them."""
    with pytest.raises(LabError, match="there is no mutation 'no-such'") as caught:
        select(["hole-missing", "no-such"])
    assert "--list" in caught.value.hint
    assert [mutation.name for mutation in select(["hole-missing"])] == ["hole-missing"]


# --- the whole run ---------------------------------------------------------------

Run = Callable[..., mutate.Report]


@pytest.fixture
def run(node: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Check mutations on a lab with one snippet of the book, and verdicts that a test gives."""
    monkeypatch.setattr(carriers, "connect", lambda: node)
    monkeypatch.setattr(mutate, "discover", lambda: [])
    monkeypatch.setattr(witnesses, "transcripts", lambda found: {snippet(): KEPT})

    def check(mutations: list[Mutation], *answers: Verdict, **more: int) -> mutate.Report:
        return mutate.check(mutations, judge=Judge(node, *answers), **more)  # type: ignore[arg-type]

    return check


def test_a_run_reports_what_was_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each mutation, and the sum."""
    known = replace(HOLE, name="known", sight=Sight("link"), uncovered="no chapter yet")
    report = run([HOLE, known], GREEN, RED, GREEN)
    shown = capsys.readouterr().out
    assert report.named == {"hole": "node01: the route to 172.16.196.128/26 is missing"}
    assert "known: not covered yet: no chapter yet" in shown
    assert "1 named, 0 failed, 1 not covered yet" in shown


def test_a_run_goes_on_after_a_fault(run: Run) -> None:
    """The next mutation is tried, too."""
    report = run([replace(HOLE, name="a"), replace(HOLE, name="b")], GREEN, GREEN, GREEN, RED, GREEN)
    assert list(report.faults) == ["a"] and list(report.named) == ["b"]


def test_a_sample_is_drawn_by_lot(run: Run) -> None:
    """The same seed draws the same; what nobody sees is not drawn."""
    many = [replace(HOLE, name=f"m{number}") for number in range(20)] + [replace(HOLE, sight=Sight("link"))]
    draws = []
    for seed in (1, 1, 2):
        report = run(many, GREEN, RED, GREEN, RED, GREEN, sample=2, seed=seed)
        assert len(report.named) == 2 and not report.faults
        draws.append(set(report.named))
    assert draws[0] == draws[1] != draws[2]


def test_a_run_with_nothing_to_check_fails(run: Run) -> None:
    """Nothing checked is not a success."""
    with pytest.raises(LabError, match="no snippet sees any of these mutations") as caught:
        run([replace(HOLE, sight=Sight("link"), uncovered="no chapter yet")])
    assert "no chapter yet" in caught.value.detail


def test_a_run_first_repairs_what_a_killed_one_left(
    run: Run, node: FakeCarrier, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the journal, before anything is judged."""
    monkeypatch.setattr(mutate, "MUTATIONS", (HOLE,))
    mutate.journal().write_text('{"name": "hole", "node": "node01"}')
    run([HOLE], GREEN, RED, GREEN)
    assert commands(node)[:2] == [REPAIR, CONT]
    assert "hole was left broken on node01 by an earlier run: repaired" in capsys.readouterr().out


def test_the_scenario_of_the_witnesses_stands_meanwhile(
    run: Run, node: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applied before the harm, removed after the repair."""
    events: list[str] = []
    monkeypatch.setattr(scenario, "apply", lambda name, carrier: events.append(f"apply after {len(node.asked)}"))
    monkeypatch.setattr(scenario, "remove", lambda name, carrier: events.append(f"remove after {len(node.asked)}"))
    monkeypatch.setattr(witnesses, "transcripts", lambda found: {snippet(scenario="pods"): KEPT})
    run([HOLE], GREEN, RED, GREEN)
    assert events == ["apply after 0", "remove after 4"]


@pytest.mark.slow
def test_the_command_lists_every_mutation() -> None:
    """With what it breaks and who sees it; no lab is needed."""
    said = CliRunner().invoke(main, ["mutate", "--list"])
    assert said.exit_code == 0
    for mutation in MUTATIONS:
        assert f"{mutation.name}\n  {mutation.breaks}\n" in said.output
    assert "pod_to_pod/routes_to_other_nodes" in said.output and "not covered yet: " in said.output


def test_the_command_fails_on_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 1, so that `make` stops."""
    report = mutate.Report(faults={"hole": ["green"]})
    monkeypatch.setattr(mutate, "check", lambda mutations, **more: report)
    assert CliRunner().invoke(main, ["mutate"]).exit_code == 1
    report.faults.clear()
    assert CliRunner().invoke(main, ["mutate", "--sample", "2"]).exit_code == 0


@pytest.mark.slow
def test_ctrl_c_repairs_first(project: Path, tmp_path: Path) -> None:
    """A real interrupt of a real process, while the cluster is broken, and a second one during the repair."""
    (project / ".lab").mkdir()
    program = f"""
import os, signal, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_mutations as here
from lab import mutate
from lab.carriers import Completed
class Node(here.FakeCarrier):
    def execute(self, node, command, *, timeout=30.0):
        if command == here.REPAIR:
            os.kill(os.getpid(), signal.SIGINT)
        print(command, flush=True)
        return Completed(0, "", "", 0.0)
def judge(snippet):
    if not mutate.journal().exists():
        return here.GREEN
    print("broken", flush=True)
    time.sleep(60)
try:
    mutate.one(here.PLAN, Node(), set(), judge)
except KeyboardInterrupt:
    print("interrupted", mutate.journal().exists())
"""
    environment = {**os.environ, "LAB_STATE": str(project / ".lab"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as child:
        try:
            assert eventually(lambda: (project / ".lab/mutation.json").exists(), 30)
            assert child.stdout is not None
            seen = [child.stdout.readline().strip() for _ in range(3)]
            child.send_signal(signal.SIGINT)
            printed, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    assert seen == [STOP, HARM, "broken"]
    assert printed.splitlines() == [REPAIR, CONT, "interrupted False"]
