"""A transcript, taken apart again: who was asked what, and what was answered."""

import re
from dataclasses import dataclass

from lab import noise
from lab.capture import CONTINUATION, is_open

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
        masked: The same lines without noise.
        normal: The same with single spaces: equal for equal meaning.
        status: Its exit status.
        late: Whether this is the output of a background command that was started further up.
    """

    node: str
    command: str
    lines: tuple[str, ...]
    masked: tuple[str, ...]
    normal: tuple[str, ...]
    status: int = 0
    late: bool = False

    @property
    def key(self) -> tuple[str, str, bool]:
        """Equal for the same question in two transcripts."""
        return self.node, self.command, self.late


def read(transcript: str) -> list[Answer]:
    """The answers of a transcript, in its order; lines above the first prompt are nobody's answer."""
    plain, masked = transcript.splitlines(), noise.normalise(transcript).splitlines()
    starts = [number for number, line in enumerate(plain) if _PROMPT.fullmatch(line) or _HEADING.fullmatch(line)]
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    pairs = zip(starts, [*starts[1:], len(plain)], strict=True)
    return [_answer(plain[start:end], masked[start:end]) for start, end in pairs if start < end]


def _answer(plain: list[str], masked: list[str]) -> Answer:
    prompt, heading = _PROMPT.fullmatch(plain[0]), _HEADING.fullmatch(plain[0])
    match = prompt or heading
    command, begin = (match["command"], 1) if match else ("", 0)
    # An answer may begin so too, a diff's does, but not where a shell would ask for another line.
    while prompt and begin < len(plain) and plain[begin].startswith(CONTINUATION) and is_open(command):
        command += "\n" + plain[begin].removeprefix(CONTINUATION)
        begin += 1
    end, status = len(plain), 0
    ended = _STATUS.fullmatch(plain[-1]) if end > begin else None
    if ended:
        end, status = end - 1, int(ended[1])
    shown = masked[begin:end]
    normal = tuple(" ".join(line.split()) for line in shown)
    node = match["node"] if match else ""
    return Answer(node, command, tuple(plain[begin:end]), tuple(shown), normal, status, late=heading is not None)
