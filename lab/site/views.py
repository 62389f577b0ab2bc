"""Markdown extension: every step has two views, the snippet's Python and the shell commands that its transcript shows.

The last Python blocks before an included transcript become the first of two
tabs. The second one is made from the transcript: its commands without prompts
and outputs, in their order, together as long as they are typed in one place,
under the command that takes a reader there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import PurePosixPath
from typing import Any

from markdown.preprocessors import Preprocessor
from mkdocs.exceptions import BuildError
from pygments.token import Generic

from lab.carriers.sandbox import NAME as SANDBOX
from lab.errors import LabError
from lab.site.lexer import PROMPT, NodeConsoleLexer
from lab.site.placing import Placing, PlacingExtension
from lab.site.receipt import load
from lab.spec import load_spec
from lab.worlds import WORLDS

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_INCLUDE = re.compile(r"""^[ \t]*-+8<-+[ \t]+["'](?P<path>snippets/\w+/\w+\.(?:py|out))(?::[^"']+)?["'][ \t]*$""")
_MARK = re.compile(r"^(?P<indent>[ \t]*)views-(?P<end>open|close)\(\((?P<path>.+)\)\)$")
# As for receipts: before pymdownx.snippets (32), and after the anchors (34), which stay outside.
_FIND = 33.5
_PLACE = 27
# Programs that a reader finds in every sandbox, too; a world of that name is built by `lab sandbox`.
_BUILT = re.compile(r"sh /run/lab/(?P<program>[\w-]+)\.sh\b")
# What snippets build through pyroute2; no transcript has it.
_NETLINK = re.compile(r"""\.(?:link|addr|route|neigh|fdb)\(\s*["']""")


@dataclass
class Group:
    """Commands that are typed one after the other in one place.

    Attributes:
        place: As the prompt has it, such as `node01/pod2`.
        aside: Whether it goes on while others run, so that it needs a terminal of its own.
        commands: The commands; one may have several lines.
    """

    place: str
    aside: bool = False
    commands: list[str] = field(default_factory=list)


def groups(transcript: str) -> list[Group]:
    """The commands of a transcript in their order, without prompts and outputs."""
    typed: list[tuple[str, str]] = []
    printed: set[str] = set()
    for _, kind, text in NodeConsoleLexer().get_tokens_unprocessed(transcript):
        if kind is Generic.Prompt:
            if match := PROMPT.match(text):
                typed.append((match["where"], ""))
        elif kind is Generic.Strong:
            typed[-1] = (typed[-1][0], typed[-1][1] + text)
        else:
            printed.add(text.rstrip("\n"))
    found: list[Group] = []
    for place, text in typed:
        command = text.rstrip("\n")
        # A transcript names a command again before what it printed while others ran.
        aside = f"[{place}: {command.partition(chr(10))[0]}]" in printed
        if not found or aside or found[-1].aside or found[-1].place != place:
            found.append(Group(place, aside))
        found[-1].commands.append(command)
    return found


def way_in(place: str, nodes: Iterable[str]) -> str:
    """The command that takes a reader to a place; a host of the sandbox is entered from inside of it."""
    node, _, pod = place.partition("/")
    if pod:
        return f"lab kubectl -- exec -it {pod} -- sh"
    if node in nodes:
        return f"lab ssh {node}"
    return "in the sandbox" if node == SANDBOX else f"in the sandbox: ip netns exec {node} sh"


def beginning(receipt: dict[str, Any], found: Iterable[Group], nodes: Iterable[str]) -> list[str]:
    """What is typed in the checkout before the commands of a step: its objects in the cluster, or its sandbox."""
    if receipt["scenario"]:
        return [f"lab kubectl -- apply -f - < snippets/scenarios/{receipt['scenario']}.yaml"]
    if all(group.place.partition("/")[0] in nodes for group in found):
        return []
    programs = {step["command"]: match["program"] for step in receipt["steps"] if (match := _built(step))}
    worlds = [name for name in programs.values() if name in WORLDS]
    return [
        " ".join(["lab sandbox", *worlds]),
        *(command for command, name in programs.items() if name not in WORLDS),
    ]


def _built(step: dict[str, Any]) -> re.Match[str] | None:
    return _BUILT.match(step["command"]) if step["node"] == SANDBOX else None


def remarks(receipt: dict[str, Any], source: str) -> str:
    """What else the snippet did, so that nobody takes its shown commands for all of it."""
    quiet = [step for step in receipt["steps"] if step.get("shown") is False and not _built(step)]
    parts = []
    if _NETLINK.search(source):
        parts.append("What Python builds through netlink is no command; it stands in the other view.")
    if quiet:
        what = "one more command, which is" if len(quiet) == 1 else f"{len(quiet)} more commands, which are"
        parts.append(f"The snippet also ran {what} in the receipt only.")
    return " ".join(parts)


def shell_view(receipt: dict[str, Any], transcript: str, source: str) -> str:
    """The shell view of a step as HTML.

    Args:
        receipt: Of the transcript.
        transcript: The text that a reader sees.
        source: The snippet's Python.
    """
    nodes = [node.name for node in load_spec().nodes]
    found = groups(transcript)
    blocks = []
    if begin := beginning(receipt, found, nodes):
        blocks.append(_block("first, in the checkout", begin))
    for group in found:
        aside = ", in a terminal of its own" if group.aside else ""
        blocks.append(_block(way_in(group.place, nodes) + aside, group.commands))
    said = remarks(receipt, source)
    return "".join(blocks) + (f'<p class="said">{said}</p>' if said else "")


def _block(title: str, commands: Iterable[str]) -> str:
    text = "\n".join(escape(command, quote=False) for command in commands)
    return f"<p>{escape(title)}</p><pre><code>{text}\n</code></pre>"


@dataclass(frozen=True)
class _Block:
    """A fenced block of a page, by the numbers of its first and last line."""

    first: int
    last: int
    indent: str
    python: bool
    includes: tuple[str, ...]

    @property
    def transcript(self) -> str | None:
        return next((path for path in self.includes if path.endswith(".out")), None)


def _blocks(lines: list[str]) -> Iterator[_Block]:
    start: tuple[int, re.Match[str]] | None = None
    includes: list[str] = []
    for number, line in enumerate(lines):
        match = _FENCE.match(line)
        if start is None:
            if match:
                start, includes = (number, match), []
        elif match and not match["info"].strip() and match["fence"].startswith(start[1]["fence"]):
            first, opened = start
            yield _Block(first, number, opened["indent"], opened["info"].lstrip().startswith("python"), tuple(includes))
            start = None
        elif include := _INCLUDE.match(line):
            includes.append(include["path"])


class Finder(Preprocessor):
    """Sets a mark before and after the Python that stands directly above a transcript."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with the marks in place."""
        before: dict[int, str] = {}
        after: dict[int, str] = {}
        run: list[_Block] = []
        last: dict[str, list[_Block]] = {}
        for block in _blocks(lines):
            if not (
                run and run[-1].indent == block.indent and not "".join(lines[run[-1].last + 1 : block.first]).strip()
            ):
                run = []
            if path := block.transcript:
                # Where prose stands between the two, the snippet's last block has the views.
                for wrapped in filter(None, [run or last.get(path.removesuffix(".out"))]):
                    before[wrapped[0].first] = f"{wrapped[0].indent}views-open(({path}))"
                    after[wrapped[-1].last] = f"{wrapped[0].indent}views-close(({path}))"
            run = [*run, block] if block.python and block.includes else []
            last.update((path.removesuffix(".py"), [block]) for path in block.includes if block.python)
        result: list[str] = []
        for number, line in enumerate(lines):
            result += ["", before[number], ""] if number in before else []
            result.append(line)
            result += ["", after[number], ""] if number in after else []
        return result


class Placer(Placing):
    """Puts the frame of the two tabs, and the shell view, in the place of the marks."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with finished HTML for each mark.

        Raises:
            BuildError: A transcript's receipt is missing or wrong.
        """
        number = 0
        result = []
        for line in lines:
            if match := _MARK.match(line):
                number += match["end"] == "open"
                html = _opening(number) if match["end"] == "open" else self._closing(match["path"])
                line = match["indent"] + self.md.htmlStash.store(html)
            result.append(line)
        return result

    def _closing(self, name: str) -> str:
        path = self.base / PurePosixPath(name)
        try:
            view = shell_view(load(path), path.read_text("utf-8"), path.with_suffix(".py").read_text("utf-8"))
        except LabError as error:
            # MkDocs shows the message of its own errors without a traceback.
            raise BuildError(str(error)) from error
        # The search knows the commands from the transcript.
        return f'</div><div class="tabbed-block shell" data-search-exclude>{view}</div></div></div>'


def _opening(number: int) -> str:
    """As pymdownx.tabbed writes it, with fewer bytes: a page has up to twenty."""
    name = f"__tabbed_s{number}"
    return (
        f'<div class="tabbed-set tabbed-alternate views" data-tabs="s{number}:2">'
        f'<input type="radio" id="{name}p" name="{name}" checked><input type="radio" id="{name}s" name="{name}">'
        f'<div class="tabbed-labels"><label for="{name}p">Python</label><label for="{name}s">Shell</label></div>'
        '<div class="tabbed-content"><div class="tabbed-block">'
    )


class ViewsExtension(PlacingExtension):
    """Registers the two steps."""

    name = "views"
    finder = (Finder, _FIND)
    placer = (Placer, _PLACE)


def makeExtension(**settings: Any) -> ViewsExtension:  # noqa: N802, the name is Markdown's
    """What Markdown calls when the configuration names this module."""
    return ViewsExtension(**settings)
