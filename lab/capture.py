"""What a snippet did and was told, step by step, and the transcript that a reader sees of it."""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lab.errors import LabError

# Printable text, line ends and tabs stay; anything else would break a page.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Step:
    """One command that ended.

    Attributes:
        node: Where it ran (for a pod: the node that the pod is on).
        command: The line as a reader would type it.
        status: Its exit status.
        stdout: What it wrote to its standard output.
        stderr: What it wrote to its standard error.
        seconds: How long it took.
        shown: Whether the transcript shows it; the receipt names it in any case.
        pod: Name of the pod it ran in, or None for the node itself.
        background: Whether a `Started` came before it.
        early: The part of stderr that was shown when it started.
        namespace: The pod's namespace, unless it is `default`.
        tries: How often it ran until its status was the awaited one; all but the last came to nothing.
    """

    node: str
    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float
    shown: bool = True
    pod: str | None = None
    background: bool = False
    early: str = ""
    namespace: str | None = None
    tries: int = 1

    @property
    def prompt(self) -> str:
        """The place as the prompt shows it: `node01`, or `node01/pod2` in a pod."""
        return f"{self.node}/{self.pod}" if self.pod else self.node

    @property
    def place(self) -> str:
        """The place, told apart from all others: `node01/pod2`, or `node01/kube-system/dns` in another namespace."""
        return "/".join(filter(None, (self.node, self.namespace, self.pod)))


@dataclass(frozen=True)
class Started:
    """A background command whose start was shown; its output follows when it ends."""

    node: str
    command: str
    early: str = ""
    started: bool = field(default=True, init=False)


@dataclass(frozen=True)
class Answer:
    """What was answered to anything that is not a step: on the receipt, never in the transcript.

    Attributes:
        source: What was asked: `command` (one that the lab itself needed), `netlink` or `api`.
        where: The place, such as `node01/pod2`; empty for the API server.
        question: What was asked there.
        reply: The answer, as JSON has it.
    """

    source: str
    where: str
    question: str
    reply: Any


Event = Step | Started | Answer


class Recorded(Protocol):
    """Recorded answers that stand in for nodes and API server."""

    def recall(self, source: str, where: str, question: str) -> Any:
        """The recorded reply.

        Raises:
            LabError: There is none; says what is known.
        """

    def stand(self, scenario: str) -> None:
        """Say which scenario the next questions are about."""


def answer(recorded: Recorded | None, source: str, where: str, question: str, ask: Callable[[], Any]) -> Any:
    """A reply as JSON has it: asked now and put on record, or recalled.

    Every source that is not a step asks through this.

    Args:
        recorded: Answers that stand in for the source, or None to ask it.
        source: As in `Answer`.
        where: As in `Answer`.
        question: As in `Answer`.
        ask: Asks the source itself.

    Raises:
        LabError: The recorded answers have none to this question.
    """
    if recorded is not None:
        return recorded.recall(source, where, question)
    reply = ask()
    record(Answer(source, where, question, reply))
    return reply


def record(event: Event) -> None:
    """Put an event on record when `LAB_RECORD` names a file."""
    path = os.environ.get("LAB_RECORD")
    if not path:
        return
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(event)) + "\n")


def clean(text: str) -> str:
    """A program's output as lines that end with a newline, without what no reader can see."""
    lines = [_CONTROL.sub(_visible, line).rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def _visible(match: re.Match[str]) -> str:
    return f"\\x{ord(match.group()):02x}"


CONTINUATION = "> "
"""What stands before each further line of a command of several lines."""

_HERE = re.compile(r"<<-?\s*([\"']?)(?P<end>\w+)\1")
_OPENERS, _CLOSERS = {"for", "while", "until", "if", "case"}, {"done", "fi", "esac"}


def is_open(command: str) -> bool:
    """Whether a shell would ask for another line: after a backslash, or inside of quotes, a here-document or a loop."""
    for here in _HERE.finditer(command):
        if here["end"] not in command[here.end() :].split("\n"):
            return True
    if _HERE.search(command):
        return False
    try:
        words = shlex.split(command, comments=True)
    except ValueError:  # an open quote, or a backslash at the end
        return True
    return sum((word in _OPENERS) - (word in _CLOSERS) for word in words) > 0 or command.endswith(("|", "&&"))


def render_command(prompt: str, command: str) -> str:
    """The line with the prompt; a command of several lines goes on after `> `."""
    return f"{prompt}$ " + command.strip().replace("\n", f"\n{CONTINUATION}") + "\n"


def render_output(step: Step, *, interrupted: bool = False) -> str:
    """What follows the command's line: its output, and an exit status that is not 0.

    Args:
        step: The command that ended.
        interrupted: Other commands were shown since it started, so that a
            reader must be told whose output follows.
    """
    text = clean(step.stdout) + clean(step.stderr.removeprefix(step.early))
    if step.status != 0:
        text += f"[exit status {step.status}]\n"
    if interrupted and text:
        text = f"[{step.prompt}: {step.command.strip().splitlines()[0]}]\n" + text
    return text


class Transcript:
    """Renders events in the order they come, live and again from a record: the same text both times."""

    def __init__(self) -> None:
        self._last: Event | None = None

    def add(self, event: Event) -> str:
        """The text that this event adds; empty when it is not shown."""
        if isinstance(event, Answer):
            return ""
        if isinstance(event, Started):
            self._last = event
            return render_command(event.node, event.command) + clean(event.early)
        if not event.shown:
            return ""
        if event.background:
            last = self._last
            direct = isinstance(last, Started) and (last.node, last.command) == (event.node, event.command)
            self._last = event
            return render_output(event, interrupted=not direct)
        self._last = event
        return render_command(event.prompt, event.command) + render_output(event)


def transcript(events: Iterable[Event]) -> str:
    """The whole transcript of these events."""
    page = Transcript()
    return "".join(page.add(event) for event in events)


class Console:
    """Shows a snippet's events as a terminal would, and records them when `LAB_RECORD` names a file.

    A command's own line is shown before the command runs, so that a reader
    at a terminal sees what is being waited for.
    """

    def __init__(self) -> None:
        self._page = Transcript()

    def announce(self, prompt: str, command: str) -> None:
        """Show the line of a command that starts now."""
        self._write(render_command(prompt, command))

    def finish(self, step: Step) -> None:
        """Show what an announced or quiet command printed, and record it."""
        text = self._page.add(step)
        if not step.background and step.shown:
            text = text.removeprefix(render_command(step.prompt, step.command))
        self._write(text)
        record(step)

    def start(self, started: Started) -> None:
        """Show and record that a background command runs."""
        self._write(self._page.add(started))
        record(started)

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def read_record(path: Path) -> list[Event]:
    """The events that a snippet's run left in its record.

    Raises:
        LabError: The record was cut off or is not one.
    """
    if not path.exists():
        return []
    try:
        return [_event(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            "the record of the snippet's steps is cut off",
            detail=f"{type(error).__name__}: {error}",
            hint="run it again; is the disk full?",
        ) from error


def _event(entry: dict[str, Any]) -> Event:
    if entry.pop("started", False):
        return Started(**entry)
    return Answer(**entry) if "source" in entry else Step(**entry)
