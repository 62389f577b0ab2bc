"""No nodes: what captures hold answers in place of nodes and API server.

A snippet is answered from its own capture. Anything else, such as an example in
the prose or a Python prompt, is answered from all captures together.
"""

import difflib
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab import receipt, snippets
from lab.carriers import Completed
from lab.errors import LabError
from lab.node import ENVIRONMENT
from lab.receipt import Receipt
from lab.snippets import Snippet

Key = tuple[str, str, str]
"""Source, place and question of a recorded answer."""

_SHOWN = 12


class ReplayCarrier:
    """Answers each question in turn as it was answered when the snippet ran; the last answer stays.

    Args:
        captures: Each question is answered from the first capture that knows it; see `stand`.

    Attributes:
        recorded: This object: its answers stand in for everything.
    """

    name = "replay"

    def __init__(self, captures: Iterable[Receipt]) -> None:
        self.recorded = self
        self._captures = list(captures)
        self._replies = _first(self._captures)

    def stand(self, scenario: str) -> None:
        """Prefer the captures of a scenario: the same question has another answer where other pods stand."""
        self._replies = _first(sorted(self._captures, key=lambda capture: capture.scenario != scenario))

    def recall(self, source: str, where: str, question: str) -> Any:
        """The recorded reply.

        Raises:
            LabError: No capture has one; says what is known there.
        """
        replies = self._replies.get((source, where, question))
        if replies is None:
            raise self._unknown(source, where, question)
        return replies.popleft() if len(replies) > 1 else replies[0]

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """What the command printed when it was captured."""
        return Completed(**self.recall("command", node, command.removeprefix(ENVIRONMENT)))

    def ssh_command(self, node: str) -> list[str]:
        """There is no node.

        Raises:
            LabError: Always.
        """
        raise LabError(f"{node} cannot be reached: captures answer in its place", hint="start a lab: lab up")

    def kubeconfig(self) -> Path:
        """There is no API server.

        Raises:
            LabError: Always.
        """
        raise LabError("there is no API server: captures answer in its place", hint="start a lab: lab up")

    def enter(self) -> None:
        """There is no network to enter."""

    def versions(self) -> dict[str, str]:
        """The versions on the newest of the receipts."""
        newest = max(self._captures, key=lambda capture: capture.date)
        return dict(newest.versions)

    def _unknown(self, source: str, where: str, question: str) -> LabError:
        known = [asked for kind, place, asked in self._replies if (kind, place) == (source, where)]
        near = difflib.get_close_matches(question, known, n=_SHOWN, cutoff=0)
        lines = [f"  {asked}" for asked in near]
        if len(known) > len(near):
            lines.append(f"  and {len(known) - len(near)} more")
        if not known:
            places = sorted({place for kind, place, _ in self._replies if kind == source})
            lines = [f"  nothing there, but at {', '.join(places)}"] if any(places) else ["  nothing of this kind"]
        one = self._captures[0].snippet if len(self._captures) == 1 else None
        whose = f"the capture of {one} does" if one else "the captures do"
        place = f"{where}: " if where else ""
        return LabError(
            f"{place}{whose} not know `{question}` ({source})",
            detail="\n".join(["known there:", *lines]),
            hint=f"with a lab, capture it again: lab update {one}" if one else "with a lab, ask it: lab up",
        )


def of(snippet: Snippet) -> ReplayCarrier:
    """The carrier that answers one snippet from its capture.

    Raises:
        LabError: There is no whole capture.
    """
    return ReplayCarrier([receipt.load(snippet)[1]])


def of_all() -> ReplayCarrier:
    """The carrier that answers from all captures.

    Raises:
        LabError: There is none, or one is damaged.
    """
    found = [receipt.load(snippet)[1] for snippet in snippets.discover() if snippet.receipt.exists()]
    if not found:
        raise LabError("there are no captures to replay", hint="make them with a lab: lab up, then lab update")
    return ReplayCarrier(found)


def connect() -> ReplayCarrier:
    """The carrier for this process: a snippet's own capture, or all of them for any other program.

    Raises:
        LabError: There is no whole capture.
    """
    from lab.cluster import main_snippet

    path = main_snippet()
    return of(snippets.read(path)) if path else of_all()


def _first(captures: Iterable[Receipt]) -> dict[Key, deque[Any]]:
    """Each question with the replies of the first capture that knows it."""
    found: dict[Key, deque[Any]] = {}
    for capture in captures:
        for key, replies in _replies(capture).items():
            found.setdefault(key, replies)
    return found


def _replies(capture: Receipt) -> dict[Key, deque[Any]]:
    """All that a capture knows, each question with its replies in their order."""
    found: dict[Key, deque[Any]] = {}
    for step in capture.steps:
        source = "background" if step.get("background") else "command"
        names = ("status", "stdout", "stderr", "seconds", *(("early",) if source == "background" else ()))
        key = (source, receipt.place(step), step["command"])
        found.setdefault(key, deque()).append({name: step[name] for name in names})
    for entry in capture.answers:
        key = (entry["source"], entry["where"], entry["question"])
        found.setdefault(key, deque()).append(entry["reply"])
    return found
