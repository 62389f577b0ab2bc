"""A transcript, taken apart again: who was asked what, and what was answered."""

import re
from dataclasses import dataclass

from lab import noise

_PROMPT = re.compile(r"(?P<node>[a-z0-9][a-z0-9./-]*)\$ (?P<command>.*)")
_HEADING = re.compile(r"\[(?P<node>[a-z0-9][a-z0-9./-]*): (?P<command>.*)\]")
_STATUS = re.compile(r"\[exit status (\d+)\]")


@dataclass(frozen=True)
class Answer:
    """What one command printed.

    Attributes:
        node: Where it ran, as in the prompt.
        command: The whole command, its continuation lines joined by newlines.
        lines: Its output.
        normal: The same lines without noise and with single spaces: equal for equal meaning.
        status: Its exit status.
        late: Whether this is the output of a background command that was started further up.
    """

    node: str
    command: str
    lines: tuple[str, ...]
    normal: tuple[str, ...]
    status: int = 0
    late: bool = False

    @property
    def key(self) -> tuple[str, str, bool]:
        """Equal for the same question in two transcripts."""
        return self.node, self.command, self.late


def read(transcript: str) -> list[Answer]:
    """The answers of a transcript, in its order."""
    plain, normal = transcript.splitlines(), noise.normalise(transcript).splitlines()
    answers: list[Answer] = []
    starts = [number for number, line in enumerate(plain) if _PROMPT.fullmatch(line) or _HEADING.fullmatch(line)]
    for start, end in zip(starts, [*starts[1:], len(plain)], strict=True):
        answers.append(_answer(plain[start:end], normal[start:end]))
    return answers


def _answer(plain: list[str], normal: list[str]) -> Answer:
    prompt = _PROMPT.fullmatch(plain[0])
    match = prompt or _HEADING.fullmatch(plain[0])
    assert match
    command, begin = match["command"], 1
    while prompt and begin < len(plain) and plain[begin].startswith("> "):
        command += "\n" + plain[begin][2:]
        begin += 1
    end, status = len(plain), 0
    ended = _STATUS.fullmatch(plain[-1]) if end > begin else None
    if ended:
        end, status = end - 1, int(ended[1])
    collapsed = tuple(" ".join(line.split()) for line in normal[begin:end])
    return Answer(match["node"], command, tuple(plain[begin:end]), collapsed, status, late=not prompt)
