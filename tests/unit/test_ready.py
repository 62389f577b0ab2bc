"""Waiting for the cluster ends with what it waited for, how that was at last, and where more is told."""

import itertools
from pathlib import Path

import pytest
from fakes import FakeClock

from lab import ready
from lab.errors import LabError
from lab.spec import load_spec


class Nodes:
    """Nodes that live until a test says another thing, and where their logs are."""

    spec = load_spec()
    folder = Path("/the/lab")

    def __init__(self, *dead: str, logs: bool = True) -> None:
        self.dead, self.logs = dead, logs

    def alive(self, node: str) -> bool:
        return node not in self.dead

    def log(self, node: str) -> Path | None:
        return self.folder / f"logs/{node}.console.log" if self.logs else None


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Half a second of waiting is over at once."""
    clock = FakeClock()
    monkeypatch.setattr(ready, "time", clock)
    return clock


def failure(nodes: Nodes, check: ready.Condition) -> LabError:
    """What waiting in vain comes to."""
    with pytest.raises(LabError) as caught:
        ready.wait(nodes, check, {})  # type: ignore[arg-type]
    return caught.value


def test_what_holds_late_is_no_error(no_waiting: FakeClock) -> None:
    """It is asked again and again, twice a second."""
    answers = iter(["not yet", "nearly", ""])
    ready.wait(Nodes(), ready.Condition("it is so", 30, lambda *_: next(answers)), {})  # type: ignore[arg-type]
    assert no_waiting.slept == [0.5, 0.5] and list(answers) == []


def test_what_never_holds_is_told_with_its_last_state() -> None:
    """Which condition, within which limit, how it was at last, and where logs are."""
    count = itertools.count()
    error = failure(Nodes(), ready.Condition("BGP is established", 3, lambda *_: f"{next(count)} sessions"))
    assert error.summary == "not ready: BGP is established: not within 3 s"
    assert error.detail == "7 sessions"
    assert error.hint == "logs are in /the/lab/logs; a unit's: lab logs controlplane kubelet"


def test_what_cannot_be_asked_is_a_last_state_too() -> None:
    """The API server that does not answer is what the reader must know."""

    def refuse(*_: object) -> str:
        raise LabError("kubectl get nodes failed", detail="connection refused")

    error = failure(Nodes(), ready.Condition("all nodes are Ready", 1, refuse))
    assert error.summary.startswith("not ready: all nodes are Ready")
    assert "kubectl get nodes failed" in error.detail and "connection refused" in error.detail


@pytest.mark.parametrize("logs", [True, False])
def test_a_node_that_ends_meanwhile_ends_the_wait(no_waiting: FakeClock, logs: bool) -> None:
    """At once, not at the limit; with the state that it left, its console, and the command that brings it back."""
    nodes = Nodes("node01", "node02", logs=logs)
    error = failure(nodes, ready.Condition("DNS answers a pod", 60, lambda *_: "dig said: nothing"))
    assert error.summary == "node01, node02: the node ended while waiting: DNS answers a pod"
    assert error.detail == "dig said: nothing"
    where = "/the/lab/logs/node01.console.log" if logs else "/the/lab/logs"
    assert error.hint == f"its last words: {where}; bring it back: lab up"
    assert no_waiting.slept == []
