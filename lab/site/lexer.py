"""Colours a transcript: which part is prompt, which is command, which is output."""

import re
from collections.abc import Iterator
from typing import ClassVar

from pygments.lexer import Lexer
from pygments.token import Generic, _TokenType

from lab.capture import CONTINUATION, is_open

PROMPT = re.compile(r"^(?P<where>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)?)\$ ")
"""The prompt that opens a command: `node01$ ` on a node, `node01/pod2$ ` in a pod."""

Token = tuple[int, _TokenType, str]


class NodeConsoleLexer(Lexer):
    """A transcript as `lab run` prints it.

    Pygments' own `console` lexer does not fit: it does not know our prompts,
    and it takes output lines that begin with `(` for something else.
    """

    name = "Node console"
    aliases: ClassVar[list[str]] = ["node-console"]
    filenames: ClassVar[list[str]] = []
    url = ""

    def get_tokens_unprocessed(self, text: str) -> Iterator[Token]:
        """Yield position, kind and text of each part, in order."""
        start = 0
        command = ""
        for line in re.findall(r"[^\n]*\n|[^\n]+", text):
            match = PROMPT.match(line)
            # An output line may begin with `> ` too (a diff's does), but not where a command goes on.
            goes_on = bool(command) and line.startswith(CONTINUATION) and is_open(command.removesuffix("\n"))
            prompt = match.group() if match else CONTINUATION if goes_on else ""
            if prompt:
                command = (command if goes_on else "") + line[len(prompt) :]
                yield start, Generic.Prompt, prompt
                # A command is one piece: the style sheet sets it off from its output, and nothing in it.
                yield start + len(prompt), Generic.Strong, line[len(prompt) :]
            else:
                command = ""
                yield start, Generic.Output, line
            start += len(line)
