"""Colours a transcript: which part is prompt, which is command, which is output."""

import re
from collections.abc import Iterator
from typing import ClassVar

from pygments.lexer import Lexer
from pygments.token import Generic, _TokenType

PROMPT = re.compile(r"^(?P<where>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)?)\$ ")
"""The prompt that opens a command: `node01$ ` on a node, `node01/pod2$ ` in a pod."""

CONTINUATION = "> "
"""What stands before each further line of a command of several lines."""

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
        in_command = False
        for line in re.findall(r"[^\n]*\n|[^\n]+", text):
            match = PROMPT.match(line)
            # An output line may begin with `> ` too, but not where a command goes on.
            goes_on = in_command and line.startswith(CONTINUATION)
            prompt = match.group() if match else CONTINUATION if goes_on else ""
            in_command = bool(prompt)
            if prompt:
                yield start, Generic.Prompt, prompt
                # A command is one piece: the style sheet sets it off from its output, and nothing in it.
                yield start + len(prompt), Generic.Strong, line[len(prompt) :]
            else:
                yield start, Generic.Output, line
            start += len(line)
