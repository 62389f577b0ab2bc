"""Transcripts: what a reader sees is what was recorded."""

import json
from pathlib import Path

import pytest
from fakes import Memory

from lab.capture import (
    Answer,
    Console,
    Event,
    Started,
    Step,
    Transcript,
    answer,
    clean,
    read_record,
    render_command,
    transcript,
)
from lab.errors import LabError

PING = Step("node01", "ping -c 1 10.0.0.1", 0, "1 received\n", "", 0.1)


def test_a_step_looks_like_a_terminal() -> None:
    """Prompt, command, standard output, then standard error."""
    step = Step("node01", "ls /x /", 2, "bin\n", "ls: /x: not there\n", 0.1)
    assert transcript([step]) == "node01$ ls /x /\nbin\nls: /x: not there\n[exit status 2]\n"


def test_a_pod_has_its_own_prompt() -> None:
    """The prompt of a pod names node and pod."""
    assert transcript([Step("node01", "ip route", 0, "", "", 0.1, pod="pod2")]) == "node01/pod2$ ip route\n"


def test_a_quiet_step_is_not_shown() -> None:
    """A step that is not shown leaves no trace in the transcript."""
    assert transcript([Step("node01", "sysctl -w x=1", 0, "x = 1\n", "", 0.1, shown=False)]) == ""


def test_a_command_of_several_lines_goes_on() -> None:
    """Further lines stand behind `> `, as a shell shows them."""
    assert render_command("node01", "for i in 1 2\ndo echo $i\ndone") == (
        "node01$ for i in 1 2\n> do echo $i\n> done\n"
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (
            "172.16.196.148 dev calibd2348b4f67 scope link \n",
            "172.16.196.148 dev calibd2348b4f67 scope link\n",
        ),
        ("no newline", "no newline\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\n\nb\n\n\n", "a\n\nb\n"),
        ("\x1b[1mbold\x1b[0m\n", "\\x1b[1mbold\\x1b[0m\n"),
        ("tab\there\n", "tab\there\n"),
        ("", ""),
    ],
    ids=["end", "newline", "crlf", "blank", "escape", "tab", "empty"],
)
def test_output_is_cleaned(raw: str, shown: str) -> None:
    """What no reader can see does not reach a page."""
    assert clean(raw) == shown


def test_background_output_follows_its_end() -> None:
    """A background command shows its line at once and its output, under a heading, at its end."""
    early, late = "listening on eth0\n", "1 packet captured\n"
    events: list[Event] = [
        Started("node02", "tcpdump -c 1", early),
        PING,
        Step("node02", "tcpdump -c 1", 0, "IP a > b\n", early + late, 1.0, background=True, early=early),
    ]
    assert transcript(events) == (
        "node02$ tcpdump -c 1\nlistening on eth0\n"
        "node01$ ping -c 1 10.0.0.1\n1 received\n"
        "[node02: tcpdump -c 1]\nIP a > b\n1 packet captured\n"
    )


def test_background_without_other_steps_needs_no_heading() -> None:
    """Output that directly follows its command needs no second name."""
    step = Step("node02", "sleep 1", 0, "done\n", "", 1.0, background=True)
    assert transcript([Started("node02", "sleep 1"), step]) == "node02$ sleep 1\ndone\n"


def test_what_is_shown_live_is_the_transcript(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The text on the terminal equals the transcript made from the record."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    console = Console()
    console.start(Started("node02", "tcpdump -c 1", "listening\n"))
    console.announce("node01", PING.command)
    console.finish(PING)
    console.finish(Step("node01", "quiet", 0, "x\n", "", 0.1, shown=False))
    console.finish(
        Step("node02", "tcpdump -c 1", 1, "", "listening\nfailed\n", 1, background=True, early="listening\n")
    )
    assert capsys.readouterr().out == transcript(read_record(tmp_path / "record"))


def test_the_record_has_every_field(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One JSON line a step, with what the receipt needs."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    Console().finish(PING)
    entry = json.loads((tmp_path / "record").read_text())
    assert {"node", "command", "status", "stdout", "stderr", "seconds", "shown", "pod"} <= entry.keys()


def test_an_answer_is_recorded_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is for the receipt."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    assert answer(None, "netlink", "node01", "links", lambda: [{"name": "lo"}]) == [{"name": "lo"}]
    events = read_record(tmp_path / "record")
    assert events == [Answer("netlink", "node01", "links", [{"name": "lo"}])]
    assert transcript(events) == ""


def test_on_replay_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor is anything put on record."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    memory = Memory([Answer("netlink", "node01", "links", ["recorded"])])
    assert answer(memory, "netlink", "node01", "links", lambda: pytest.fail("asked")) == ["recorded"]
    assert not (tmp_path / "record").exists()


def test_a_step_says_its_place() -> None:
    """Pods of one name in two namespaces are two places; the prompt stays short."""
    step = Step("node01", "ls", 0, "", "", 0.1, pod="dns", namespace="kube-system")
    assert (step.prompt, step.place) == ("node01/dns", "node01/kube-system/dns")
    assert PING.place == "node01"


def test_no_record_without_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By hand nothing is written."""
    monkeypatch.delenv("LAB_RECORD", raising=False)
    monkeypatch.chdir(tmp_path)
    Console().finish(PING)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_off_record_is_an_error(tmp_path: Path) -> None:
    """Half a line is not taken for a whole step."""
    (tmp_path / "record").write_text('{"node": "node01", "comm')
    with pytest.raises(LabError, match="cut off"):
        read_record(tmp_path / "record")


def test_a_snippet_without_steps_has_no_record(tmp_path: Path) -> None:
    """No file means no steps."""
    assert read_record(tmp_path / "none") == []
    assert Transcript().add(PING).startswith("node01$")
