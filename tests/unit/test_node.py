"""Nodes: commands run, shown, awaited, and kept running in the background."""

import sys
from pathlib import Path

import pytest
from fakes import FakeCarrier, FakeClock, Memory, eventually

from lab.capture import Answer, Console, Step, read_record
from lab.errors import LabError
from lab.node import ENVIRONMENT, CommandError, Node


@pytest.fixture
def node(fake: FakeCarrier) -> Node:
    """node01 on a fake carrier."""
    return Node("node01", fake, address="192.168.56.11", console=Console())


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run leaves its events."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    return tmp_path / "record"


def test_run_shows_and_returns(node: Node, fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """The command and its output are on the screen and in the result."""
    fake.on("node01", "ip route", stdout="default via 192.168.56.1 dev eth0 \n", seconds=0.5)
    result = node.run("ip route")
    assert capsys.readouterr().out == "node01$ ip route\ndefault via 192.168.56.1 dev eth0\n"
    assert (result.status, result.seconds, result.command, result.node) == (0, 0.5, "ip route", "node01")
    assert str(result) == "default via 192.168.56.1 dev eth0 \n"
    assert result.lines == ["default via 192.168.56.1 dev eth0"]


def test_words_and_widths_are_fixed(node: Node, monkeypatch: pytest.MonkeyPatch, fake: FakeCarrier) -> None:
    """Every command gets the same locale and width, whatever the host has."""
    seen: list[str] = []
    monkeypatch.setattr(fake, "execute", lambda name, command, timeout: seen.append(command))
    with pytest.raises(AttributeError):
        node.quiet("true")
    assert seen == [f"{ENVIRONMENT}true"]
    assert "LC_ALL=C" in ENVIRONMENT and "COLUMNS=80" in ENVIRONMENT


def test_another_status_raises(node: Node, fake: FakeCarrier) -> None:
    """A failing command says who, what, why and what now."""
    fake.on("node01", "ip route get 10.96.0.1", stderr="RTNETLINK answers: Network is unreachable\n", status=2)
    with pytest.raises(CommandError) as caught:
        node.run("ip route get 10.96.0.1")
    assert str(caught.value) == (
        "node01: `ip route get 10.96.0.1` exited 2\n"
        "  stderr: RTNETLINK answers: Network is unreachable\n"
        "  hint: is the pod network up? see `lab status` and `lab logs node01 kubelet`"
    )
    assert caught.value.result.status == 2


def test_an_expected_failure_is_shown(node: Node, fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """A status that the snippet expects does not raise, and the reader sees it."""
    fake.on("node01", "ping -c 1 10.96.0.1", stdout="100% packet loss\n", status=1)
    node.run("ping -c 1 10.96.0.1", status=1)
    assert capsys.readouterr().out.splitlines()[-1] == "[exit status 1]"


def test_success_where_failure_is_expected_raises(node: Node, fake: FakeCarrier) -> None:
    """A command that should fail and does not is an error too."""
    fake.on("node01", "ping -c 1 10.96.0.1")
    with pytest.raises(CommandError, match="exited 0, expected 1"):
        node.run("ping -c 1 10.96.0.1", status=1)


def test_the_time_limit_is_named(node: Node, fake: FakeCarrier) -> None:
    """Status 124 after the whole time means that the command was stopped."""
    fake.on("node01", "sleep 99", status=124, seconds=2.0)
    with pytest.raises(CommandError, match="was stopped: not done within 2 s"):
        node.run("sleep 99", timeout=2)


def test_quiet_shows_nothing(node: Node, fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """Preparation stays out of the transcript."""
    fake.on("node01", "conntrack -F", stdout="done\n")
    assert node.quiet("conntrack -F").stdout == "done\n"
    assert capsys.readouterr().out == ""


def test_wait_until_polls(node: Node, fake: FakeCarrier, clock: FakeClock) -> None:
    """It asks again until the condition is true."""
    fake.on("node01", "ip link show cali0", status=1)
    fake.on("node01", "ip link show cali0", status=1)
    fake.on("node01", "ip link show cali0", stdout="5: cali0\n")
    assert node.wait_until("ip link show cali0", timeout=20).stdout == "5: cali0\n"
    assert len(clock.slept) == 2


def test_only_the_try_that_counted_is_a_step(node: Node, fake: FakeCarrier, clock: FakeClock, record: Path) -> None:
    """It says how many it took; replay answers the first try with it."""
    fake.on("node01", "true", status=1)
    fake.on("node01", "true", status=1)
    fake.on("node01", "true")
    node.wait_until("true")
    node.wait_until("true")
    steps = [event for event in read_record(record) if isinstance(event, Step)]
    assert [(step.status, step.tries) for step in steps] == [(0, 3), (0, 1)]


def test_what_the_lab_asks_for_itself_is_recorded(node: Node, fake: FakeCarrier, record: Path) -> None:
    """No step, but an answer: replay needs it, too."""
    fake.on("node01", "pidof x", stdout="7\n", status=1, seconds=0.25)
    done = node.ask("pidof x")
    assert read_record(record) == [
        Answer("command", "node01", "pidof x", {"status": 1, "stdout": "7\n", "stderr": "", "seconds": 0.25})
    ]
    fake.recorded = Memory([event for event in read_record(record) if isinstance(event, Answer)])
    assert node.ask("pidof x") == done
    assert fake.asked == [("node01", "pidof x")]


def test_background_is_recalled(node: Node, fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """The same transcript and result, and nothing runs."""
    reply = {"status": 0, "stdout": "IP a > b\n", "stderr": "listening\n1 seen\n", "seconds": 2, "early": "listening\n"}
    fake.recorded = Memory([Answer("background", "node01", "tcpdump", reply)])
    fake.on("node01", "ping")
    with node.background("tcpdump", ready="listening") as capture:
        node.run("ping")
    assert capture.result.stdout == "IP a > b\n"
    assert capsys.readouterr().out == (
        "node01$ tcpdump\nlistening\nnode01$ ping\n[node01: tcpdump]\nIP a > b\n1 seen\n"
    )
    with pytest.raises(CommandError, match="exited 0, expected 3"), node.background("tcpdump", status=3):
        pass
    with pytest.raises(KeyError), node.background("tcpdump", status=3):
        raise KeyError


def test_wait_until_tells_the_last_state(node: Node, fake: FakeCarrier, clock: FakeClock) -> None:
    """Out of time, the error carries what was seen last."""
    fake.on("node01", "ip link show cali0", stderr="Device does not exist\n", status=1)
    with pytest.raises(LabError, match="waited 5 s in vain") as caught:
        node.wait_until("ip link show cali0", timeout=5)
    assert "Device does not exist" in str(caught.value)
    assert sum(clock.slept) == pytest.approx(5, abs=0.3)


def test_background_runs_beside(node: Node, fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """The block begins when the command is ready, and its output comes when the block has ended."""
    fake.on("node01", "touch it")
    command = "echo ready now >&2; echo later"
    with node.background(command, ready="ready") as capture:
        node.run("touch it")
    assert capture.result.stdout == "later\n"
    assert capsys.readouterr().out == (f"node01$ {command}\nready now\nnode01$ touch it\n[node01: {command}]\nlater\n")


def test_background_has_no_result_while_it_runs(node: Node) -> None:
    """Asking too early is a clear error."""
    with node.background("true") as capture, pytest.raises(LabError, match="no result while it runs"):
        print(capture.result)


def test_background_status_is_checked(node: Node) -> None:
    """A background command that fails is an error."""
    with pytest.raises(CommandError, match="exited 3"), node.background("exit 3"):
        pass


def test_background_can_be_interrupted(node: Node) -> None:
    """A command without an end gets Ctrl-C when the block ends, and may still print."""
    python = f"exec {sys.executable} -uc"
    # `timeout` passes the interrupt on twice: taken from the queue once, it cannot disturb what follows.
    code = "import signal, sys\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2])\nprint('go', file=sys.stderr)"
    command = f'{python} "{code}\nsignal.sigwait([2])\nprint(7)"'
    with node.background(command, ready="go", stop=True) as capture:
        pass
    assert capture.result.stdout == "7\n"


def test_background_over_its_time_is_stopped(node: Node) -> None:
    """The node ends what takes too long."""
    with (
        pytest.raises(CommandError, match=r"not done within 0\.3 s"),
        node.background("sleep 20", timeout=0.3),
    ):
        pass


def test_background_that_is_never_ready_fails(node: Node) -> None:
    """Its own words are shown."""
    with (
        pytest.raises(LabError, match="did not print `listening`") as caught,
        node.background("echo no such device >&2; exit 1", ready="listening"),
    ):
        pass
    assert "no such device" in str(caught.value)
    assert "exited 1" in str(caught.value)


def test_background_does_not_outlive_a_failing_block(node: Node, tmp_path: Path) -> None:
    """An error inside the block ends the command on the node."""
    with pytest.raises(KeyError), node.background(f"echo $$ > {tmp_path}/pid; sleep 20"):
        assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        raise KeyError
    pid = int((tmp_path / "pid").read_text())
    assert eventually(
        lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    )
