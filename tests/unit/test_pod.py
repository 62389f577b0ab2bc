"""Pods: looked up, run in through the API server's exec, read through their network namespace."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiserver import StandIn
from fakes import FakeCarrier, Memory, pod

from lab.capture import Answer, Step, read_record
from lab.errors import LabError
from lab.node import CommandError
from lab.pod import Pod

cluster_module = __import__("sys").modules["lab.cluster"]

PATH = "/api/v1/namespaces/default/pods/pod2"
SUCCESS = json.dumps({"status": "Success"}).encode()


def failure(status: int) -> bytes:
    """The API server's last word about a command that failed."""
    cause = {"reason": "ExitCode", "message": str(status)}
    return json.dumps({"status": "Failure", "details": {"causes": [cause]}}).encode()


@pytest.fixture
def pod2(server: StandIn, fake: FakeCarrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """pod2 on node01, through the real client."""
    server.objects[PATH] = pod(
        status={"containerStatuses": [{"name": "main", "containerID": "containerd://abc123", "image": "i",
                                       "imageID": "i", "ready": True, "restartCount": 0}]}
    )  # fmt: skip
    kubeconfig = server.kubeconfig(tmp_path)
    monkeypatch.setattr(fake, "kubeconfig", lambda: kubeconfig)
    handle = cluster_module.Cluster(connect=lambda: fake)
    yield handle.pod("pod2")
    handle._api.rest_client.pool_manager.clear()


def test_where_it_is(pod2: Pod) -> None:
    """Node and address come from the API server."""
    assert (pod2.node.name, pod2.address) == ("node01", "172.16.196.148")


def test_an_unknown_pod_is_named(pod2: Pod) -> None:
    """A missing pod is one clear message."""
    with pytest.raises(LabError, match="there is no pod 'pod9' in namespace 'default'"):
        print(pod2._cluster.pod("pod9").address)


def test_a_pod_without_a_node(pod2: Pod, server: StandIn) -> None:
    """A pod that waits for a node says so."""
    server.objects[PATH]["spec"].pop("nodeName")
    with pytest.raises(LabError, match="is not on a node yet"):
        print(pod2.node)


def test_run_shows_and_returns(pod2: Pod, server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    """The prompt names node and pod, the output is that of the container."""
    asked = []

    def answer(command: str) -> tuple[list[tuple[int, bytes]], bool]:
        asked.append(command)
        return [(1, b"default via 169.254.1.1 "), (1, b"dev eth0\n"), (2, b"careful\n"), (3, SUCCESS)], True

    server.exec = answer
    result = pod2.run("ip route")
    assert asked == ["ip route"]
    assert result.stdout == "default via 169.254.1.1 dev eth0\n"
    assert result.stderr == "careful\n"
    shown = "node01/pod2$ ip route\ndefault via 169.254.1.1 dev eth0\ncareful\n"
    assert capsys.readouterr().out == shown
    assert any("container=main" in request and "command=sh" in request for request in server.requests)


def test_a_step_in_another_namespace_says_so(
    pod2: Pod, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pods of one name are told apart on the receipt, and not in the prompt."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    server.objects[PATH.replace("default", "demo")] = pod()
    server.exec = lambda command: ([(3, SUCCESS)], True)
    pod2._cluster.pod("pod2", "demo").run("true")
    pod2.run("true")
    steps = [event for event in read_record(tmp_path / "record") if isinstance(event, Step)]
    assert [(step.prompt, step.place) for step in steps] == [
        ("node01/pod2", "node01/demo/pod2"),
        ("node01/pod2", "node01/pod2"),
    ]


def test_a_pod_is_replayed(
    pod2: Pod,
    server: StandIn,
    fake: FakeCarrier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Node, address, process and command come from the record, and nobody is asked."""
    monkeypatch.setenv("LAB_RECORD", str(tmp_path / "record"))
    fake.on("node01", "grep -ls abc123 /proc/[0-9]*/cgroup", stdout="/proc/812/cgroup\n")
    server.exec = lambda command: ([(1, b"default\n"), (3, failure(2))], True)
    pod2.run("ip route", status=2)
    seen = (pod2.node.name, pod2.address, pod2.pid)
    shown = capsys.readouterr().out
    events = read_record(tmp_path / "record")
    answers = [event for event in events if isinstance(event, Answer)]
    step = next(event for event in events if isinstance(event, Step))
    reply = {"status": 2, "stdout": step.stdout, "stderr": step.stderr, "seconds": step.seconds}

    replay = FakeCarrier()
    replay.recorded = Memory([*answers, Answer("command", step.place, step.command, reply)])
    again = cluster_module.Cluster(connect=lambda: replay).pod("pod2")
    assert again.run("ip route", status=2).stdout == "default\n"
    assert (again.node.name, again.address, again.pid) == seen
    assert capsys.readouterr().out == shown
    assert replay.asked == []


def test_a_character_cut_in_two_is_whole(pod2: Pod, server: StandIn) -> None:
    """Messages may end inside a character."""
    letter = "é".encode()
    server.exec = lambda command: ([(1, letter[:1]), (1, letter[1:]), (3, SUCCESS)], True)
    assert pod2.run("cat").stdout == "é"


def test_large_output_is_whole(pod2: Pod, server: StandIn) -> None:
    """Many messages make one output."""
    server.exec = lambda command: ([(1, b"x" * 60000)] * 20 + [(3, SUCCESS)], True)
    assert len(pod2.run("cat").stdout) == 1_200_000


def test_the_exit_status_is_kept(pod2: Pod, server: StandIn) -> None:
    """A command that fails in a pod raises like one on a node."""
    server.exec = lambda command: ([(2, b"nope\n"), (3, failure(7))], True)
    with pytest.raises(CommandError, match=r"node01/pod2: `false` exited 7"):
        pod2.run("false")
    assert pod2.run("false", status=7).status == 7


def test_a_command_without_an_end_is_given_up(pod2: Pod, server: StandIn) -> None:
    """The time limit holds, and what was printed is kept."""
    server.exec = lambda command: ([(1, b"some\n")], False)
    with pytest.raises(CommandError, match=r"not done within 0\.3 s") as caught:
        pod2.run("sleep 99", timeout=0.3)
    assert caught.value.result.stdout == "some\n"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (
            [(3, json.dumps({"status": "Failure", "message": "no sh in the image"}).encode())],
            "no sh in the image",
        ),
        ([(1, b"half")], "without an exit status"),
    ],
    ids=["refused", "silent"],
)
def test_no_exit_status_is_an_error(pod2: Pod, server: StandIn, messages: list[tuple[int, bytes]], words: str) -> None:
    """Nothing is taken for success that did not say so."""
    server.exec = lambda command: (messages, True)
    with pytest.raises(LabError, match=words):
        pod2.run("ip route")


def test_exec_refused_is_an_error(pod2: Pod, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection says where to look."""
    assert pod2.node.name == "node01"
    server.close()
    with pytest.raises(LabError, match="pod default/pod2: `ip route` could not be started") as caught:
        pod2.run("ip route")
    assert "get pod pod2" in caught.value.hint
    monkeypatch.setattr(server, "close", lambda: None)


def test_the_process_is_found_by_its_container(pod2: Pod, fake: FakeCarrier) -> None:
    """The smallest number is the container's first process."""
    found = "/proc/900/cgroup\n/proc/812/cgroup\n"
    fake.on("node01", "grep -ls abc123 /proc/[0-9]*/cgroup", stdout=found)
    assert pod2.pid == 812


def test_a_pod_that_does_not_run_has_no_process(pod2: Pod, fake: FakeCarrier) -> None:
    """A container that is gone is an error."""
    fake.on("node01", "grep -ls abc123 /proc/[0-9]*/cgroup")
    with pytest.raises(LabError, match="no container of pod default/pod2 runs"):
        print(pod2.pid)


def test_its_network_is_read_in_its_namespace(pod2: Pod, fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper is started under nsenter, for the pod's process."""
    commands: list[Any] = []
    fake.on("node01", "grep -ls abc123 /proc/[0-9]*/cgroup", stdout="/proc/812/cgroup\n")
    monkeypatch.setattr(fake, "ssh_command", lambda node: ["sh", "-c", "echo stop >&2; exit 1", node])
    monkeypatch.setattr("subprocess.Popen", _recording(commands))
    with pytest.raises(LabError, match="node01/pod2"):
        pod2.links()
    assert commands[0][:4] == ["sh", "-c", "echo stop >&2; exit 1", "node01"]
    assert commands[0][4].startswith("exec nsenter -t 812 -n python3 -uc ")


def _recording(commands: list[Any]) -> Any:
    import subprocess

    class Recorder(subprocess.Popen[bytes]):
        def __init__(self, command: Any, **settings: Any) -> None:
            commands.append(command)
            super().__init__(command, **settings)

    return Recorder
