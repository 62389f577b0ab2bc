"""Many snippets: what one leaves is found and named, and what runs side by side does no harm."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import PODS, ROUTE, Lab, alone, eventually

from lab import freshness, runner, scenario, snippets
from lab.course import suspects
from lab.errors import LabError
from lab.unchanged import Left

Write = Callable[[str, str], Path]

ALONE = '\ncluster.alone("changes a route")\nout'


def leaving(project: Path, name: str, text: str = ROUTE) -> str:
    """A snippet that leaves something in the cluster; it runs in the project's folder."""
    (project / "cluster").mkdir(exist_ok=True)
    return text + f"open('cluster/{name}', 'w').close()\n"


def captures(project: Path) -> dict[str, bytes]:
    """All transcripts and receipts."""
    found = [*(project / "snippets").glob("*/*.out"), *(project / "snippets").glob("*/*.json")]
    return {path.name: path.read_bytes() for path in found}


@pytest.fixture
def three(lab: Lab, write: Write) -> Lab:
    """Three snippets without a scenario and one with: a, b, routes; z."""
    for name in ("a", "b"):
        write(f"snippets/demo/{name}.py", ROUTE)
    write("snippets/demo/z.py", PODS)
    return lab


def test_a_snippet_that_leaves_a_route_is_named(
    three: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its capture is not written; it is named with what it left, and with the way back."""
    write("snippets/demo/b.py", leaving(project, "10.9.9.0"))
    report = runner.update([])
    assert "demo/b" in report.failed and "demo/a" in report.changed
    shown = capsys.readouterr().out
    assert "demo/b left the cluster changed\n  node01 routes: + 10.9.9.0\n  hint: let it undo what it does;" in shown
    assert "lab reset" in shown
    assert "b.out" not in captures(project)


def test_nothing_is_kept_where_a_stranger_is(three: Lab, project: Path) -> None:
    """A pod that the reader made would be in the outputs; comparing goes on, since a reader may have pods."""
    runner.update([])
    kept = captures(project)
    (project / "cluster").mkdir()
    (project / "cluster/Pod default:mine").touch()
    with pytest.raises(LabError, match="holds what no scenario made") as caught:
        runner.update([], everything=True)
    assert caught.value.detail == "Pod default/mine"
    assert captures(project) == kept
    assert sorted(runner.verify([]).unchanged) == ["demo/a", "demo/b", "demo/routes", "demo/z"]


def test_nothing_is_kept_of_a_changed_cluster(three: Lab, project: Path, write: Write) -> None:
    """What would come after the one that left something is not run, its scenario is not even applied."""
    write("snippets/demo/b.py", leaving(project, "10.9.9.0"))
    report = runner.update([])
    assert report.failed == ["demo/b", "demo/routes", "demo/z"]
    assert three.events == []
    assert {name.split(".")[0] for name in captures(project)} == {"a"}


def test_verify_goes_on_in_a_changed_cluster(three: Lab, project: Path, write: Write) -> None:
    """It writes nothing, so it can tell about the others; nobody else is accused."""
    runner.update([])
    write("snippets/demo/b.py", leaving(project, "10.9.9.0"))
    report = runner.verify([], jobs=1)
    assert (report.failed, report.changed) == (["demo/b"], [])
    assert sorted(report.unchanged) == ["demo/a", "demo/routes", "demo/z"]


def test_a_failing_snippet_that_leaves_something_says_both(
    lab: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure explains what was left."""
    write("snippets/demo/routes.py", leaving(project, "10.9.9.0") + "raise ValueError('broken')\n")
    assert runner.update([]).failed == ["demo/routes"]
    shown = capsys.readouterr().out
    assert "ValueError: broken" in shown and "demo/routes left the cluster changed" in shown


def test_update_asks_for_objects_after_each_snippet(lab: Lab, project: Path, write: Write) -> None:
    """An object that is left keeps its snippet's capture from being written."""
    write("snippets/demo/routes.py", leaving(project, "object pod9"))
    assert runner.update([]).failed == ["demo/routes"]
    assert captures(project) == {}


def test_verify_finds_left_objects_when_the_scenario_is_gone(
    three: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks for objects less often; who left one follows from when it was made."""
    runner.update([])
    write("snippets/demo/z.py", leaving(project, "object pod9", PODS))
    report = runner.verify(["demo"], jobs=1)
    assert report.failed == ["demo/z"] and "demo/z" not in report.unchanged
    assert "demo/z left the cluster changed\n  object pod9 was left" in capsys.readouterr().out


def test_what_a_snippet_leaves_in_its_scenario_goes_with_it(
    three: Lab, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snippet is named all the same, but what follows can be kept."""
    for name in ("p1", "p2"):
        write(f"snippets/scenarios/{name}.yaml", "kind: Pod\n")
    write("snippets/demo/z.py", leaving(project, "extra", PODS.replace("pods", "p1")))
    write("snippets/demo/zz.py", PODS.replace("pods", "p2"))
    monkeypatch.setattr(scenario, "remove", lambda name, carrier: (project / "cluster/extra").unlink(missing_ok=True))
    report = runner.update([])
    assert report.failed == ["demo/z"]
    assert "demo/zz" in report.changed


def test_a_scenario_that_leaves_something_is_told(
    lab: Lab, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No snippet left it, so it came with the scenario or with one of its snippets."""
    (project / "cluster").mkdir()
    monkeypatch.setattr(scenario, "remove", lambda name, carrier: (project / "cluster/chain").touch())
    write("snippets/demo/routes.py", PODS)
    write("snippets/demo/more.py", PODS)
    report = runner.update([])
    assert report.failed == ["the cluster"]
    shown = capsys.readouterr().out
    assert "demo/more or demo/routes left the cluster changed\n  node01 routes: + chain" in shown
    assert "which one? lab verify --jobs 1 demo/more demo/routes" in shown


def test_who_can_have_left_an_object() -> None:
    """By the second in which it was made; everybody, when that says nothing."""
    times = {"a": (100.2, 101.1), "b": (103.0, 104.0), "c": (110.0, 111.0)}
    assert suspects([Left("pod", 103.0)], times) == ["b"]
    assert suspects([Left("pod", 102.0)], times) == ["a", "b"]
    assert suspects([Left("route")], times) == ["a", "b", "c"]
    assert suspects([Left("pod", 200.0)], times) == ["a", "b", "c"]


MEET = """
import os, time
open("{mine}", "w").close()
end = time.monotonic() + {seconds}
while not os.path.exists("{other}") and time.monotonic() < end:
    time.sleep(0.01)
found = os.path.exists("{other}")
assert found
"""


def meeting(mine: str, other: str, *, seconds: float = 10, needs: str = "pods") -> str:
    """A snippet that only ends well while another runs; both must so run at the same time."""
    return PODS.replace("pods", needs) + MEET.format(mine=mine, other=other, seconds=seconds)


def manifest(name: str, address: str) -> str:
    """A scenario of one pod with a fixed address."""
    note = f"""{{cni.projectcalico.org/ipAddrs: '["{address}"]'}}"""
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {note}}}\n"


@pytest.fixture
def pair(lab: Lab, project: Path, write: Write) -> Lab:
    """Two captured snippets of two scenarios, which then wait for each other."""
    for name, address in (("one", "172.16.196.150"), ("two", "172.16.196.151")):
        write(f"snippets/scenarios/{name}.yaml", manifest(f"pod-{name}", address))
        write(f"snippets/demo/{name}.py", PODS.replace("pods", name))
    (project / "snippets/demo/routes.py").unlink()
    runner.update([])
    lab.events.clear()
    write("snippets/demo/one.py", meeting("x", "y", needs="one"))
    write("snippets/demo/two.py", meeting("y", "x", needs="two"))
    return lab


def counted(text: str) -> list[str]:
    """The lines that say how a snippet ended, up to its name."""
    return [match[0] for match in re.finditer(r"^\[.*?\] demo/\w+ +", text, re.MULTILINE)]


def test_each_line_says_how_many_are_done(lab: Lab, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Aligned, whoever reads it."""
    for number in range(9):
        write(f"snippets/demo/a{number}.py", ROUTE)
    runner.update([])
    assert [line[:21] for line in counted(capsys.readouterr().out)] == [
        *(f"[{number + 1:2}/10] demo/a{number}      " for number in range(9)),
        "[10/10] demo/routes  ",
    ]


def test_what_could_not_run_counts(
    three: Lab, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scenario that failed has its message; the snippets that need it are done with."""

    def refuse(name: str, carrier: object) -> None:
        if name == "pods":
            raise LabError("scenario pods is not ready after 90 s")

    write("snippets/scenarios/zoo.yaml", "kind: Pod\n")
    write("snippets/demo/zz.py", PODS.replace("pods", "zoo"))
    monkeypatch.setattr(scenario, "apply", refuse)
    assert runner.update([]).failed == ["demo/z"]
    lines = counted(capsys.readouterr().out)
    assert [line.split("]")[0] for line in lines] == ["[1/5", "[2/5", "[3/5", "[5/5"]


@pytest.mark.parametrize("terminal", [True, False])
def test_whoever_waits_is_told_what_takes_long(
    lab: Lab, write: Write, terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only at a terminal, and only of a snippet that asked for more time."""
    write("snippets/demo/slow.py", ROUTE.replace("\nout", "\ncluster.limit(300)\nout", 1))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    runner.update([])
    lines = capsys.readouterr().out.splitlines()
    begins = [number for number, line in enumerate(lines) if line == "      demo/slow    begins; it may run 300 s"]
    assert len(begins) == sum("begins" in line for line in lines) == terminal
    if terminal:
        assert lines[begins[0] + 1].startswith("[2/2] demo/slow    ")


def test_independent_scenarios_run_side_by_side(pair: Lab) -> None:
    """Each snippet waits for the other, so both can only end well together."""
    report = runner.verify([], jobs=2)
    assert sorted(report.unchanged) == ["demo/one", "demo/two"] and report.again == []
    assert sorted(pair.events) == ["apply one", "apply two", "remove one", "remove two"]
    assert pair.proof.looks[0] and pair.proof.looks[-1]


def test_scenarios_with_one_address_never_stand_together(pair: Lab, project: Path, write: Write) -> None:
    """Two objects of different names, but one address: the second waits for the end of the first."""
    write("snippets/scenarios/two.yaml", manifest("pod-two", "172.16.196.150"))
    write("snippets/demo/one.py", meeting("x", "y", seconds=0.3, needs="one"))
    report = runner.verify([], jobs=2)
    assert pair.events[:4] == ["apply one", "remove one", "apply two", "remove two"]
    # The first, which misses the other, has a second chance by itself, and by then the other's mark is there.
    assert report.again == ["demo/one"]
    assert report.failed == []


def test_what_differs_beside_others_runs_again_by_itself(
    pair: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is told, and on the report; only the second run counts."""
    write("snippets/demo/one.py", PODS.replace("pods", "one"))
    write("snippets/demo/two.py", PODS.replace("pods", "two") + ONCE)
    files = (project / "report.json", project / "report.xml")
    report = runner.verify([], jobs=2, json_file=files[0], junit_file=files[1])
    assert report.again == ["demo/two"]
    assert sorted(report.unchanged) == ["demo/one", "demo/two"] and report.failed == []
    one, two = json.loads(files[0].read_text())["snippets"]
    assert (one["again"], two["result"]) == ("", "unchanged")
    assert two["again"].startswith("demo/two asserts what does not hold any more: `assert found`\n")
    told = files[1].read_text()
    assert told.count("<system-out>it ran again by itself, because beside others it said:") == 1
    shown = [line for line in capsys.readouterr().out.splitlines() if "demo/two" in line]
    assert shown[0].startswith("      demo/two  ") and shown[0].endswith("beside others; it runs again by itself")
    assert shown[1].startswith("[2/2] demo/two  ")
    assert shown[1].endswith("unchanged; only beside others it differs: cluster.alone would tell")


def test_what_fails_the_second_time_says_both(
    pair: Lab, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that cannot be had again: its snippet is not forgotten, and the report says why it ran twice."""
    write("snippets/demo/one.py", PODS.replace("pods", "one"))
    write("snippets/demo/two.py", PODS.replace("pods", "two") + ONCE)
    seen: list[str] = []

    def refuse(name: str, carrier: object) -> None:
        if name in seen:
            raise LabError("scenario two is not ready after 90 s")
        seen.append(name)

    monkeypatch.setattr(scenario, "apply", refuse)
    file = project / "report.json"
    report = runner.verify([], jobs=2, json_file=file)
    assert (report.unchanged, report.failed, report.again) == (["demo/one"], ["demo/two"], ["demo/two"])
    two = json.loads(file.read_text())["snippets"][1]
    assert (two["result"], two["error"]) == ("failed", "scenario two is not ready after 90 s")
    assert "this does not hold" in two["again"]


ONCE = """
import os
found = os.path.exists("mark")
open("mark", "w").close()
assert found
"""


def test_a_snippet_that_wants_to_be_alone_runs_alone(pair: Lab, project: Path, write: Write) -> None:
    """It waits in vain for a companion."""
    text = meeting("x", "y", seconds=0.5, needs="one").replace("\nout", ALONE, 1)
    write("snippets/demo/one.py", text)
    write("snippets/demo/two.py", PODS.replace("pods", "two"))
    report = runner.verify([], jobs=2)
    assert (report.failed, report.unchanged) == (["demo/one"], ["demo/two"])


def test_one_job_means_one_scenario_at_a_time(pair: Lab, project: Path, write: Write) -> None:
    """Nobody meets anybody."""
    for mine, other, name in (("x", "y", "one"), ("u", "v", "two")):
        write(f"snippets/demo/{name}.py", meeting(mine, other, seconds=0.2, needs=name))
    assert runner.verify([], jobs=1).failed == ["demo/one", "demo/two"]
    assert pair.events == ["apply one", "remove one", "apply two", "remove two"]


def test_update_runs_nothing_side_by_side(pair: Lab, project: Path, write: Write) -> None:
    """What is kept was printed with nothing else in the cluster."""
    for mine, other, name in (("x", "y", "one"), ("u", "v", "two")):
        write(f"snippets/demo/{name}.py", meeting(mine, other, seconds=0.2, needs=name))
    assert runner.update([]).failed == ["demo/one", "demo/two"]


def test_what_is_left_side_by_side_is_told_of_all(
    pair: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who it was cannot be known; the command that finds out is."""
    write("snippets/demo/one.py", leaving(project, "10.9.9.0", meeting("x", "y", needs="one")))
    report = runner.verify([], jobs=2)
    assert report.failed == ["the cluster"]
    shown = capsys.readouterr().out
    assert "demo/one or demo/two left the cluster changed\n  node01 routes: + 10.9.9.0" in shown
    assert "lab verify --jobs 1 demo/one demo/two" in shown


def test_a_scenario_that_fails_side_by_side_fails_its_own(pair: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's snippets run."""

    def refuse(name: str, carrier: object) -> None:
        if name == "one":
            (paths / "x").touch()
            raise LabError("scenario one is not ready after 90 s")

    paths = snippets.paths.ROOT
    monkeypatch.setattr(scenario, "apply", refuse)
    report = runner.verify([], jobs=2)
    assert report.failed == ["demo/one"] and report.unchanged == ["demo/two"]


def test_ctrl_c_ends_all_that_runs_side_by_side(pair: Lab, project: Path, write: Write, tmp_path: Path) -> None:
    """Both snippets end, both scenarios are removed, nothing is called a failure."""
    for mine, name in (("x", "one"), ("y", "two")):
        write(f"snippets/demo/{name}.py", meeting(mine, "never", seconds=60, needs=name))
    with subprocess.Popen(alone(project, "verify([], jobs=2)"), stdout=subprocess.PIPE, text=True) as child:
        try:
            assert eventually(lambda: (project / "x").exists() and (project / "y").exists(), 30)
            child.send_signal(signal.SIGINT)
            printed, _ = child.communicate(timeout=20)
        finally:
            child.kill()
    assert printed.split() == ["applied", "applied", "removed", "removed", "interrupted"]


def _interrupted_update(monkeypatch: pytest.MonkeyPatch, *, everything: bool) -> None:
    """An update that is interrupted when it comes to `demo/routes`."""
    execute = runner.execute

    def interrupt(snippet: snippets.Snippet, **more: object) -> runner.Run:
        if snippet.name == "demo/routes":
            raise KeyboardInterrupt
        return execute(snippet, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner, "execute", interrupt)
        runner.update([], everything=everything)


def test_an_interrupted_update_goes_on_where_it_ended(
    three: Lab, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was captured is captured; only the rest runs the second time."""
    _interrupted_update(monkeypatch, everything=False)
    kept = captures(project)
    assert set(kept) == {"a.out", "a.json", "b.out", "b.json"}
    assert runner.update([]).changed == ["demo/routes", "demo/z"]
    assert "2 of 4 captures are fresh" in capsys.readouterr().out
    assert {name: captures(project)[name] for name in kept} == kept
    assert not list((project / "snippets/demo").glob(".*"))


@pytest.fixture
def interrupted(three: Lab, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The note of `lab update --all` that was interrupted after a and b, of old captures."""
    runner.update([])
    for path in (project / "snippets/demo").glob("*.json"):
        path.write_text(re.sub(r'"date": "\d+', '"date": "2020', path.read_text()))
    _interrupted_update(monkeypatch, everything=True)
    return project / ".lab/update-all.json"


def test_all_anew_goes_on_where_it_was_interrupted(interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was captured since it began is passed over, and that is told; the next run begins anew."""
    begun = json.loads(interrupted.read_text())["begun"]
    capsys.readouterr()
    assert runner.update([], everything=True).unchanged == ["demo/routes", "demo/z"]
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"2 of 4 are passed over: captured since {begun}, when a run began that did not end",
        "  all of them anew: rm .lab/update-all.json; lab update --all",
    ]
    assert not interrupted.exists()
    assert len(runner.update([], everything=True).unchanged) == 4
    assert "passed over" not in capsys.readouterr().out


def test_what_went_stale_since_is_not_passed_over(interrupted: Path, write: Write) -> None:
    """It was captured since, of another text."""
    write("snippets/demo/a.py", ROUTE + "\n")
    assert runner.update([], everything=True).unchanged == ["demo/a", "demo/routes", "demo/z"]
    assert not interrupted.exists()


def test_what_failed_is_still_to_do(three: Lab, interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All ran, but one has no new capture: only that one is left, and when it is captured by name, nothing is."""
    three.on("node01", "ip route", stdout="nothing\n")
    assert runner.update([], everything=True).failed == ["demo/routes", "demo/z"]
    three.on("node01", "ip route", stdout="default via 192.168.56.1 dev eth0\n")
    assert runner.update(["routes"]).unchanged == ["demo/routes"]
    assert interrupted.exists()
    assert runner.update(["z"]).unchanged == ["demo/z"]
    assert not interrupted.exists()


def test_a_run_that_captured_nothing_is_forgotten(interrupted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As is a note that no run wrote."""
    for text in ('{"begun": "2999-01-01T00:00:00Z"}', '{"begun": "yesterday"}', "{", "[]"):
        interrupted.write_text(text)
        assert len(runner.update([], everything=True).unchanged) == 4
        assert not interrupted.exists()
    assert "passed over" not in capsys.readouterr().out


def test_update_runs_only_what_is_stale_or_missing(
    three: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how many, and what changed; names and `--all` ask for more."""
    runner.update([])
    write("snippets/demo/a.py", ROUTE + "\n")
    (project / "snippets/demo/b.out").unlink()
    capsys.readouterr()
    report = runner.update([])
    assert (report.unchanged, report.changed) == (["demo/a"], ["demo/b"])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "2 of 4 captures are fresh"
    assert sorted(shown[1:3]) == ["  1 to run again: has no b.out", "  1 to run again: the snippet itself"]
    assert runner.update(["a"]).unchanged == ["demo/a"]
    assert len(runner.update([], everything=True).unchanged) == 4


def test_a_fresh_book_needs_no_lab(
    three: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is stale: nothing is started, and how to run all anyway is told."""
    runner.update([])
    monkeypatch.setattr("lab.carriers.connect", lambda: pytest.fail("the lab was asked"))
    capsys.readouterr()
    report = runner.update([])
    assert (report.changed, report.failed, report.unchanged) == ([], [], [])
    assert capsys.readouterr().out.splitlines() == [
        "4 of 4 captures are fresh",
        "nothing to do; all of them anew: lab update --all",
    ]


def test_a_lab_of_other_versions_is_not_captured(lab: Lab, project: Path, write: Write) -> None:
    """Its answers would stand under the new pins; nothing is written."""
    runner.update([])
    before = captures(project)
    write("lab/cluster.yaml", "versions: {kubernetes: v1.38.0, calico: v3.28.5}\n")
    freshness._shared.cache_clear()
    with pytest.raises(LabError, match="not of the pinned versions; nothing was captured") as caught:
        runner.update(["routes"])
    assert caught.value.detail == "kubernetes was v1.37.2, v1.38.0 is pinned"
    assert caught.value.hint == "make it anew: lab up --fresh"
    assert captures(project) == before


def test_a_capture_of_another_carrier_stays(
    lab: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not overwritten by accident; the two ways on are told."""
    runner.update([])
    path = project / "snippets/demo/routes.json"
    path.write_text(path.read_text().replace('"carrier": "fake"', '"carrier": "vagrant"'))
    before = captures(project)
    capsys.readouterr()
    assert runner.update(["routes"]).failed == ["demo/routes"]
    shown = capsys.readouterr().out
    assert "demo/routes was captured on vagrant, this lab is fake: its capture stays" in shown
    assert "lab verify demo/routes" in shown and "remove snippets/demo/routes.json first" in shown
    assert captures(project) == before


def test_a_difference_to_another_version_says_so(lab: Lab, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads the difference must know that it need not be a fault."""
    runner.update([])
    path = project / "snippets/demo/routes.json"
    path.write_text(path.read_text().replace("v1.37.2", "v1.36.0").replace('"carrier": "fake"', '"carrier": "uml"'))
    lab.on("node01", "ip route", stdout="default via 192.168.56.9 dev eth0\n")
    capsys.readouterr()
    assert runner.verify([]).changed == ["demo/routes"]
    told = "it was captured elsewhere: carrier uml, here fake; kubernetes v1.36.0, here v1.37.2\n"
    assert told in capsys.readouterr().out


def test_a_snippet_with_a_limit_of_its_own(lab: Lab, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cluster.limit` is what it gets."""
    limits: list[float] = []
    from lab.worker import Workers

    run = Workers.run
    monkeypatch.setattr(
        Workers, "run", lambda self, *a, limit, **k: limits.append(limit) or run(self, *a, limit=limit, **k)
    )
    write("snippets/demo/routes.py", ROUTE.replace("\nout", "\ncluster.limit(120)\nout"))
    assert runner.update([]).changed == ["demo/routes"]
    assert limits == [120.0]


def test_the_receipt_of_a_run_names_its_parts(lab: Lab, project: Path) -> None:
    """Each file and each pin for itself, so that a change can be named."""
    runner.update([])
    entry = json.loads((project / "snippets/demo/routes.json").read_text())
    assert {"snippet", "lab/noise.py", "lab/provision/node.sh", "lab/image/calico/go.sum"} <= entry["parts"].keys()


def test_no_thread_and_no_process_stays(pair: Lab) -> None:
    """Everything that was started for a course has ended with it."""
    before = set(threading.enumerate())
    runner.verify([], jobs=2)
    assert set(threading.enumerate()) <= before
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    mine = [pid for pid in children if b"lab.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert mine == []
