"""Which program printed an output, as its command line tells."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# Programs that only decide where or how long another one runs.
_WRAPPERS = {"sudo", "timeout", "nsenter", "env", "nice", "chroot", "stdbuf"}
# Filters that let lines through as they are, and the options with which they do not.
_FILTERS = {"grep": "coqlL", "egrep": "coqlL", "fgrep": "coqlL", "head": "c", "tail": "c", "sort": "", "uniq": "cD"}
# What prints nothing, and so may stand before the program in question.
_SILENT = {"cd", "export", "set", "sleep", "true", ":"}
_REDIRECTION = re.compile(r"\s\d?>>?\s*(?:&\d|[\w./-]+)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*")


@dataclass(frozen=True)
class Question:
    """The program whose lines a transcript shows.

    Attributes:
        program: Its name without a folder.
        words: Its arguments.
        ordered: Whether its lines come in its own order; False behind `sort`.
        filtered: Whether a filter takes lines away.
    """

    program: str
    words: tuple[str, ...]
    ordered: bool = True
    filtered: bool = False


def question(command: str) -> Question | None:
    """The program that printed what this command shows; None where its lines do not come through as they are.

    Args:
        command: A command line, also with a pipe and over several lines.
    """
    line = _REDIRECTION.sub(" ", command.replace("\\\n", " "))
    try:
        statements = _split(line)
    except ValueError:
        return None
    loud = [statement for statement in statements if not _silent(statement)]
    if len(loud) != 1:
        return None
    first, *filters = loud[0]
    words = _unwrapped(first)
    if not words or not all(_keeps_lines(each) for each in filters):
        return None
    program, *arguments = words
    ordered = not any(words[0] == "sort" for words in filters)
    return Question(program.rsplit("/", 1)[-1], tuple(arguments), ordered, bool(filters))


def _split(line: str) -> list[list[list[str]]]:
    """The statements of a line, each a pipeline of words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&\n")
    lexer.whitespace_split = True
    lexer.whitespace = " \t"
    lexer.commenters = ""
    statements: list[list[list[str]]] = [[[]]]
    for word in lexer:
        if set(word) <= set(";&\n") or word == "||":
            statements.append([[]])
        elif word == "|":
            statements[-1].append([])
        else:
            statements[-1][-1].append(word)
    return [statement for statement in statements if statement != [[]]]


def _silent(pipeline: Sequence[Sequence[str]]) -> bool:
    words = pipeline[0]
    return len(pipeline) == 1 and (words[0] in _SILENT or all(_ASSIGNMENT.fullmatch(word) for word in words))


def _keeps_lines(words: Sequence[str]) -> bool:
    if not words or words[0] not in _FILTERS:
        return False
    options = "".join(word[1:] for word in words[1:] if re.fullmatch(r"-[A-Za-z]+", word))
    return not set(options) & set(_FILTERS[words[0]])


def _unwrapped(words: Sequence[str]) -> list[str]:
    """The words of the program itself, without those that say where it runs."""
    left = [word for number, word in enumerate(words) if not _leading_assignment(words, number)]
    while left:
        if left[:3] == ["ip", "netns", "exec"]:
            left = left[4:]
        elif left[0] == "kubectl" and "exec" in left and "--" in left:
            left = left[left.index("--") + 1 :]
        elif left[0] in _WRAPPERS:
            left = _inner(left[1:])
        else:
            break
    return left


def _leading_assignment(words: Sequence[str], number: int) -> bool:
    return all(_ASSIGNMENT.fullmatch(word) for word in words[: number + 1])


def _inner(words: list[str]) -> list[str]:
    """Behind a wrapper, the first word that looks like a program and not like an option's value."""
    from lab.drift.tools import PROGRAMS

    for number, word in enumerate(words):
        if word.rsplit("/", 1)[-1] in PROGRAMS:
            return words[number:]
    return []
