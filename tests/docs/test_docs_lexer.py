"""The lexer for transcripts: what is prompt, what is command, what is output."""

import pytest
from pygments.lexers import get_lexer_by_name
from pygments.token import Generic

from lab.capture import is_open
from lab.site.lexer import NodeConsoleLexer


def _kinds(text: str) -> list[tuple[str, str]]:
    """Each line's kind and its text, tokens of a command joined."""
    kinds = {Generic.Prompt: "prompt", Generic.Output: "output"}
    found: list[tuple[str, str]] = []
    for _, token, value in NodeConsoleLexer().get_tokens_unprocessed(text):
        kind = kinds.get(token, "command")
        if found and found[-1][0] == kind == "command":
            value = found.pop()[1] + value
        found.append((kind, value))
    return found


CASES = {
    "node": ("node01$ ip a\n1: lo\n", [("prompt", "node01$ "), ("command", "ip a\n"), ("output", "1: lo\n")]),
    "pod": ("node01/pod2$ id\n", [("prompt", "node01/pod2$ "), ("command", "id\n")]),
    "name with dots and dashes": (
        "my-node.lab/web-0$ id\n",
        [("prompt", "my-node.lab/web-0$ "), ("command", "id\n")],
    ),
    "two commands": (
        "a$ x\nb$ y\n",
        [("prompt", "a$ "), ("command", "x\n"), ("prompt", "b$ "), ("command", "y\n")],
    ),
    "several lines": (
        "a$ for x in 1\n> do y\n> done\nout\n",
        [
            *[("prompt", "a$ "), ("command", "for x in 1\n"), ("prompt", "> "), ("command", "do y\n")],
            *[("prompt", "> "), ("command", "done\n"), ("output", "out\n")],
        ],
    ),
    "output like a continuation": (
        "a$ diff\n1a2\n> new\n",
        [("prompt", "a$ "), ("command", "diff\n"), ("output", "1a2\n"), ("output", "> new\n")],
    ),
    "output right after a command": (
        "a$ diff x y | grep '[<>]'\n> new\n",
        [("prompt", "a$ "), ("command", "diff x y | grep '[<>]'\n"), ("output", "> new\n")],
    ),
    "output in brackets": ("(x) y\n", [("output", "(x) y\n")]),
    "exit status": ("[exit status 1]\n", [("output", "[exit status 1]\n")]),
    "empty output line": (
        "a$ x\n\ny\n",
        [("prompt", "a$ "), ("command", "x\n"), ("output", "\n"), ("output", "y\n")],
    ),
    "price": ("costs 5$ today\n", [("output", "costs 5$ today\n")]),
    "capital letters": ("PATH$ x\n", [("output", "PATH$ x\n")]),
    "no line end": ("a$ x", [("prompt", "a$ "), ("command", "x")]),
}


@pytest.mark.parametrize(("text", "kinds"), CASES.values(), ids=CASES.keys())
def test_kinds(text: str, kinds: list[tuple[str, str]]) -> None:
    """Prompt, command and output are told apart."""
    assert _kinds(text) == kinds


OPEN = [
    "ls \\",
    "echo '{",
    'echo "a',
    "cat <<'END'",
    "cat << END\nx",
    "for a in b\ndo c",
    "if a\nthen b",
    "a |",
    "a &&",
]
WHOLE = [
    "ls",
    "echo '{\n}'",
    "cat <<'END'\n'\nEND",
    "for a in b\ndo c\ndone",
    "kubectl wait pod --for condition=Ready",
    "ls # it's a comment",
]


@pytest.mark.parametrize("command", OPEN)
def test_an_open_command_goes_on(command: str) -> None:
    """Where a shell would ask for more, the next line is the command's."""
    assert is_open(command)


@pytest.mark.parametrize("command", WHOLE)
def test_a_whole_command_does_not(command: str) -> None:
    """What follows is its output, whatever it looks like."""
    assert not is_open(command)


@pytest.mark.parametrize("text", [text for text, _ in CASES.values()], ids=CASES.keys())
def test_nothing_is_lost(text: str) -> None:
    """The tokens are the text, each at its place."""
    tokens = list(NodeConsoleLexer().get_tokens_unprocessed(text))
    assert "".join(value for _, _, value in tokens) == text
    assert all(text[at : at + len(value)] == value for at, _, value in tokens)


def test_pages_find_it_by_name() -> None:
    """The package registers the lexer, so that a fence can name it."""
    assert isinstance(get_lexer_by_name("node-console"), NodeConsoleLexer)
