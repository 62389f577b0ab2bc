"""Running snippets: each in a process of its own, compared, kept, and never half written."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import PODS, ROUTE, FakeCarrier, Lab, alone, eventually

from lab import carriers, mutate, receipt, runner, scenario, snippets
from lab.errors import LabError
from lab.turn import turn

Write = Callable[[str, str], Path]

TEXT = "node01$ ip route\ndefault via 192.168.56.1 dev eth0\n"


def state(project: Path) -> dict[str, bytes]:
    """Every file of the chapter."""
    return {path.name: path.read_bytes() for path in (project / "snippets/demo").glob("*.*")}


def test_update_writes_transcript_and_receipt(lab: Lab, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files, and a line that says so."""
    report = runner.update([], commit="c0ffee")
    assert (report.changed, report.failed, report.unchanged) == (["demo/routes"], [], [])
    assert (project / "snippets/demo/routes.out").read_text() == TEXT
    entry = json.loads((project / "snippets/demo/routes.json").read_text())
    assert (entry["carrier"], entry["commit"]) == ("fake", "c0ffee")
    assert entry["versions"] == {"kubernetes": "v1.37.2", "linux": "6.12"}
    assert [step["command"] for step in entry["steps"]] == ["ip route"]
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["0 of 1 captures are fresh", "  1 to run again: has no routes.out"]
    assert shown[2].startswith("[1/1] demo/routes  ") and shown[2].endswith("new")
    assert shown[3].startswith("1 snippet: 1 changed, 0 unchanged, 0 failed;")
    assert shown[-1] == "  snippets/demo/routes.out"


def test_a_second_update_changes_no_transcript(lab: Lab, project: Path) -> None:
    """Equal answers, equal file; the receipt is new."""
    runner.update([])
    report = runner.update(["demo/routes"])
    assert report.unchanged == ["demo/routes"]
    assert receipt.stale(snippets.find("routes")) == []


def test_noise_keeps_the_old_value(lab: Lab, project: Path, write: Write) -> None:
    """Only what is not noise changes a file."""
    write("snippets/demo/routes.py", ROUTE.replace('"ip route"', '"ping -c 1 x"').replace("default", "ttl"))
    lab.on("node01", "ping -c 1 x", stdout="reply ttl=62 time=0.5 ms\n")
    runner.update([])
    before = (project / "snippets/demo/routes.out").read_bytes()
    lab.on("node01", "ping -c 1 x", stdout="reply ttl=62 time=0.9 ms\n")
    assert runner.update([], everything=True).unchanged == ["demo/routes"]
    assert runner.verify([]).unchanged == ["demo/routes"]
    assert (project / "snippets/demo/routes.out").read_bytes() == before


def test_verify_shows_the_difference_and_writes_nothing(
    lab: Lab, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The diff, and the command that accepts it."""
    runner.update([])
    before = state(project)
    lab.on("node01", "ip route", stdout="default via 192.168.56.9 dev eth0\n")
    capsys.readouterr()
    report = runner.verify(["demo"])
    assert report.changed == ["demo/routes"]
    assert state(project) == before
    shown = capsys.readouterr().out
    assert "  -default via 192.168.56.1 dev eth0\n  +default via 192.168.56.9 dev eth0\n" in shown
    assert "accept it with: lab update demo/routes\n" in shown


def test_verify_of_what_was_never_captured_fails(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to compare with is not agreement."""
    report = runner.verify([])
    assert report.failed == ["demo/routes"]
    assert "capture it with: lab update demo/routes" in capsys.readouterr().out


def test_verify_of_an_edited_transcript_fails(lab: Lab, project: Path) -> None:
    """A transcript that a hand has touched is not what was captured."""
    runner.update([])
    (project / "snippets/demo/routes.out").write_text(TEXT.replace("56.1", "56.2"))
    assert runner.verify([]).failed == ["demo/routes"]


def test_update_repairs_an_edited_transcript(lab: Lab, project: Path) -> None:
    """It takes nothing over from a file that is not what was captured."""
    runner.update([])
    (project / "snippets/demo/routes.out").write_text(TEXT.replace("56.1", "56.2"))
    assert runner.update([]).changed == ["demo/routes"]
    assert (project / "snippets/demo/routes.out").read_text() == TEXT


def test_one_scenario_stands_for_all_that_need_it(lab: Lab, write: Write) -> None:
    """Applied once, removed once; what needs none runs before."""
    write("snippets/demo/a.py", PODS)
    write("snippets/demo/b.py", PODS)
    report = runner.update([])
    assert lab.events == ["apply pods", "remove pods"]
    assert report.changed == ["demo/routes", "demo/a", "demo/b"]


def test_a_scenario_that_fails_fails_its_snippets_only(
    lab: Lab, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others run, and what is left of it is removed."""

    def refuse(name: str, carrier: object) -> None:
        raise LabError("scenario pods is not ready after 90 s")

    monkeypatch.setattr(scenario, "apply", refuse)
    write("snippets/demo/a.py", PODS)
    report = runner.update([])
    assert (report.changed, report.failed) == (["demo/routes"], ["demo/a"])
    assert lab.events == ["remove pods"]
    assert "scenario pods is not ready" in capsys.readouterr().out


BAD = {
    "raises": ("raise ValueError('broken')\n", "ValueError: broken"),
    "assertion": ('assert out.stdout == "x"\n', "this does not hold"),
    "command": ('cluster.node("node01").run("false")\n', "node01: `false` exited 1"),
    "unknown node": ('cluster.node("node9")\n', "there is no node 'node9'"),
    "prints": ("print('hello')\n", "printed: hello"),
    "silent exit": ("import os\nos._exit(3)\n", "it exited 3"),
    "killed": ("import os\nos.kill(os.getpid(), 9)\n", "it was ended by signal 9"),
    "secret": ('cluster.node("node01").run("cat token")\n', "would hold a bootstrap token"),
}


@pytest.mark.parametrize(("code", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_snippet_changes_nothing(
    lab: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str], code: str, words: str
) -> None:
    """One clear message, its files as they were, and the next snippet still runs."""
    write("snippets/demo/zz.py", ROUTE)
    lab.on("node01", "false", status=1)
    lab.on("node01", "cat token", stdout="q1w2e3.r4t5y6u7i8o9p0aa\n")
    runner.update([])
    before = {name: data for name, data in state(project).items() if not name.startswith("zz")}
    write("snippets/demo/routes.py", ROUTE + code)
    before["routes.py"] = (ROUTE + code).encode()
    capsys.readouterr()
    report = runner.update(["demo"])
    assert (report.failed, report.unchanged) == (["demo/routes"], ["demo/zz"])
    shown = capsys.readouterr().out
    assert words in shown
    assert "r4t5y6u7i8o9p0aa" not in shown
    assert {name: data for name, data in state(project).items() if not name.startswith("zz")} == before


@pytest.mark.parametrize("more", ["", "assert False, TOKEN\n"], ids=["it goes on", "it fails with it"])
def test_a_comparison_shows_no_secret(
    lab: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    """Not on the terminal, and in no report: CI shows both to everybody."""
    lab.on("node01", "cat token", stdout="none\n")
    ask = 'TOKEN = cluster.node("node01").run("cat token").stdout\n'
    write("snippets/demo/routes.py", ROUTE + ask)
    runner.update([])
    lab.on("node01", "cat token", stdout="q1w2e3.r4t5y6u7i8o9p0aa\n")
    write("snippets/demo/routes.py", ROUTE + ask + more)
    files = [project / "report.json", project / "report.xml"]
    assert runner.verify([], json_file=files[0], junit_file=files[1]).failed == ["demo/routes"]
    shown = capsys.readouterr()
    told = [shown.out, shown.err, *(file.read_text() for file in files)]
    assert "it prints a bootstrap token, which is not shown here" in told[0]
    assert not any("r4t5y6u7i8o9p0aa" in text for text in told)


def test_the_line_of_the_snippet_is_shown(lab: Lab, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Which statement, what its names stood for, and what came before on the terminal."""
    write("snippets/demo/routes.py", ROUTE.replace('"default" in out.stdout', "out.stdout == str(out.status)"))
    runner.update([])
    shown = capsys.readouterr().out
    assert "demo/routes.py, line 5:" in shown
    assert "out.status is 0" in shown
    assert "the transcript so far ended with:" in shown and "node01$ ip route" in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROUTE.replace("assert ", ""), "it asserts nothing"),
        (PODS.replace('"pods"', '"pots"'), "there is no scenario 'pots'"),
        ("def f(:", "this is not Python"),
    ],
    ids=["asserts nothing", "scenario", "syntax"],
)
def test_a_snippet_with_faults_is_not_run(
    lab: Lab, write: Write, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    """What can be read from the file is told before anything runs."""
    write("snippets/demo/routes.py", text)
    assert runner.update([]).failed == ["demo/routes"]
    assert words in capsys.readouterr().out


def test_a_snippet_that_shows_nothing_is_refused(lab: Lab, write: Write) -> None:
    """A page needs something to show."""
    write("snippets/demo/routes.py", ROUTE.replace(".run(", ".quiet("))
    with pytest.raises(LabError, match="demo/routes shows nothing"):
        runner.execute(snippets.find("routes"))


def test_a_snippet_without_an_end_is_stopped_with_all_it_started(lab: Lab, write: Write, tmp_path: Path) -> None:
    """Neither it nor its children live on."""
    code = f"import subprocess\nsubprocess.run(['sh', '-c', 'echo $$ > {tmp_path}/pid; sleep 60'])\n"
    write("snippets/demo/routes.py", ROUTE + code)
    with pytest.raises(LabError, match="ran longer than 2 s and was stopped") as caught:
        runner.execute(snippets.find("routes"), limit=2)
    assert "node01$ ip route" in caught.value.detail
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: not _alive(pid))


def test_ctrl_c_ends_the_snippet_and_removes_its_scenario(lab: Lab, write: Write, tmp_path: Path) -> None:
    """Nothing stays behind, whenever it is pressed."""
    code = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    write("snippets/demo/routes.py", PODS + code)
    with subprocess.Popen(alone(tmp_path, "update([])"), stdout=subprocess.PIPE, text=True) as child:
        try:
            assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 20)
            child.send_signal(signal.SIGINT)
            printed, _ = child.communicate(timeout=20)
        finally:
            child.kill()
    assert printed.splitlines()[-3:] == ["applied", "removed", "interrupted"]
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: not _alive(pid))


@pytest.mark.parametrize("name", ["run", "update", "verify"])
def test_what_a_killed_run_left_is_removed_first(
    lab: Lab,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """A real kill -9 while a scenario stands: the next command says whose it was and what it deleted, once."""
    work = {"run": lambda: runner.run("demo/routes"), "update": lambda: runner.update([], everything=True)}.get(
        name, lambda: runner.verify([])
    )
    write("snippets/demo/routes.py", PODS)
    runner.update([])
    write("snippets/demo/slow.py", PODS + "import time\nopen('pid', 'w').write('x')\ntime.sleep(60)\n")
    with subprocess.Popen(alone(tmp_path, "update(['demo/slow'])"), stdout=subprocess.PIPE, text=True) as child:
        try:
            assert eventually(lambda: (tmp_path / "pid").exists(), 20)
        finally:
            child.kill()
        assert child.stdout is not None and child.stdout.readline() == "applied\n"
    (tmp_path / "snippets/demo/slow.py").unlink()
    lab.events.clear()
    monkeypatch.setattr(scenario, "reset", lambda carrier: lab.events.append("reset") or ["Pod default/pod2"])
    capfd.readouterr()
    work()
    told = capfd.readouterr().err
    assert f"(process {child.pid}) was killed: removing what its scenarios left\ndeleted Pod default/pod2\n" in told
    assert lab.events == ["reset", "apply pods", "remove pods"]
    work()
    assert lab.events[3:] == ["apply pods", "remove pods"]
    assert "killed" not in capfd.readouterr().err


def test_what_does_not_go_away_is_tried_again_by_the_next(
    lab: Lab, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is run in a cluster that still holds it; on this machine alone there is nothing to remove."""
    runner.update([])
    write(".lab/snippets.turn", '{"pid": 1, "command": "lab verify", "since": 0}')

    def refuse(carrier: object) -> list[str]:
        raise LabError("what snippets left behind does not go away")

    monkeypatch.setattr(scenario, "reset", refuse)
    for _ in range(2):
        with pytest.raises(LabError, match="does not go away"):
            runner.verify([])
    monkeypatch.setattr(FakeCarrier, "name", "here")
    assert len(runner.verify([]).unchanged) == 1
    monkeypatch.setattr(FakeCarrier, "name", "fake")
    monkeypatch.setattr(scenario, "reset", lambda carrier: [])
    assert runner.verify([]).unchanged == ["demo/routes"]
    assert not (project / ".lab/snippets.turn").exists()


def test_a_killed_mutation_is_repaired_before_its_scenario_goes(
    lab: Lab, write: Write, fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node whose bird stands still would keep the routes of pods that are gone."""
    runner.update([])
    write(".lab/snippets.turn", '{"pid": 1, "command": "lab mutate", "since": 0}')
    monkeypatch.setattr(mutate, "repair_left", lambda carrier: lab.events.append("repair"))
    monkeypatch.setattr(scenario, "reset", lambda carrier: lab.events.append("reset") or [])
    assert runner.verify([]).unchanged == ["demo/routes"]
    assert lab.events == ["repair", "reset"]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_run_shows_the_transcript_live(
    lab: Lab, fake: FakeCarrier, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is on the terminal is the transcript; the scenario comes and goes."""
    write("snippets/demo/routes.py", PODS)
    runner.run("demo/routes")
    assert capfd.readouterr().out == TEXT
    assert lab.events == ["apply pods", "remove pods"]
    assert fake.entered == 1


def test_run_leaves_a_scenario_that_was_there(
    lab: Lab, write: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever applied it may still want it."""
    monkeypatch.setattr(scenario, "present", lambda name, carrier: True)
    monkeypatch.setattr(scenario, "wait_ready", lambda name, carrier: lab.events.append(f"wait {name}"))
    write("snippets/demo/routes.py", PODS)
    runner.run("demo/routes")
    assert lab.events == ["wait pods"]


def test_what_else_was_answered_is_on_the_receipt(lab: Lab, project: Path, write: Write) -> None:
    """The answers of the snippet's process reach the file, and replay from there."""
    write("snippets/demo/routes.py", ROUTE + 'assert cluster.node("node01").ask("pidof x").stdout\n')
    lab.on("node01", "pidof x", stdout="7\n")
    runner.update([])
    told = json.loads((project / "snippets/demo/routes.json").read_text())["answers"]
    assert [(answer["question"], answer["reply"]["stdout"]) for answer in told] == [("pidof x", "7\n")]


def test_run_on_replay_asks_no_lab(
    lab: Lab, write: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """No scenario, no turn to wait for: the snippet's own process answers from the capture."""
    write("snippets/demo/routes.py", PODS)
    runner.update([])
    lab.events.clear()
    capfd.readouterr()
    monkeypatch.setattr(carriers, "connect", lambda: pytest.fail("the lab was asked"))
    monkeypatch.setenv("LAB_CARRIER", "replay")
    with turn():
        runner.run("demo/routes")
    assert capfd.readouterr().out == TEXT
    assert lab.events == []


@pytest.mark.parametrize("work", [runner.update, runner.verify])
def test_captures_are_not_made_of_captures(
    lab: Lab, work: Callable[[list[str]], runner.Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor compared with themselves."""
    monkeypatch.setenv("LAB_CARRIER", "replay")
    with pytest.raises(LabError, match="captures are made of what nodes answer") as caught:
        work([])
    assert "leave LAB_CARRIER away" in caught.value.hint


def test_run_of_a_failing_snippet_raises(lab: Lab, write: Write) -> None:
    """The command line turns it into a message and an exit status."""
    write("snippets/demo/routes.py", ROUTE + "assert not out.stdout\n")
    with pytest.raises(LabError, match="demo/routes failed"):
        runner.run("demo/routes")


@pytest.mark.parametrize("work", [runner.update, runner.verify])
def test_an_unknown_name_starts_nothing(
    lab: Lab, work: Callable[[list[str]], runner.Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing mistake is told before the lab is asked."""
    monkeypatch.setattr(carriers, "connect", lambda: pytest.fail("the lab was asked"))
    with pytest.raises(LabError, match="there is no snippet 'demo/rutes'") as caught:
        work(["demo/rutes"])
    assert "demo/routes" in caught.value.hint


def test_no_snippets_at_all(lab: Lab, project: Path) -> None:
    """Nothing to do is told, not taken for success."""
    (project / "snippets/demo/routes.py").unlink()
    with pytest.raises(LabError, match="there are no snippets yet"):
        runner.verify([])


def test_verify_says_what_a_difference_means_and_what_rests_on_it(
    lab: Lab, project: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the terminal and in both reports."""
    runner.update([])
    write("docs/page.md", '# Page\n\n--8<-- "snippets/demo/routes.out"\n\nThe `default` route leads out.\n')
    lab.on("node01", "ip route", stdout="default via 192.168.56.9 dev eth0\n")
    capsys.readouterr()
    files = (project / "report.json", project / "report.xml")
    runner.verify([], json_file=files[0], junit_file=files[1])
    shown = capsys.readouterr().out
    assert "  node01: the route to default goes by 192.168.56.9, not by 192.168.56.1\n" in shown
    assert '  rests on it: docs/page.md, "Page": "The `default` route leads out."\n' in shown
    (entry,) = json.loads(files[0].read_text())["snippets"]
    assert (entry["result"], entry["findings"][0]["kind"]) == ("changed", "next hop changed")
    assert 'type="next hop changed"' in files[1].read_text()


def test_verify_of_a_snippet_that_fails_says_what_it_showed_until_then(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """An assertion that no longer holds, and the difference behind it."""
    runner.update([])
    lab.on("node01", "ip route", stdout="10.0.0.0/8 dev eth0\n")
    capsys.readouterr()
    assert runner.verify([]).failed == ["demo/routes"]
    shown = capsys.readouterr().out
    assert "this does not hold" in shown
    assert "node01: the route to default is missing\n" in shown
    assert "node01: the route to 10.0.0.0/8 was not there before\n" in shown


def test_a_claim_that_no_output_shows_is_named(lab: Lab, write: Write) -> None:
    """What a snippet asserts of quiet answers has no line in its transcript."""
    quiet = 'assert cluster.node("node01").quiet("cat x").stdout == "1"\n'
    write("snippets/demo/routes.py", ROUTE + quiet)
    lab.on("node01", "cat x", stdout="1")
    runner.update([])
    lab.on("node01", "cat x", stdout="2")
    verdict = runner.judge(snippets.find("routes"))
    (finding,) = verdict.findings
    assert (verdict.result, finding.kind, finding.subject) == ("failed", "claim broken", quiet.strip())


def test_a_report_that_cannot_be_written_stops_before_the_lab_is_asked(
    lab: Lab, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes later would be too late."""
    monkeypatch.setattr(carriers, "connect", lambda: pytest.fail("the lab was asked"))
    with pytest.raises(LabError, match="there is no folder"):
        runner.verify([], json_file=project / "no/report.json")
