"""The snippets there are: their names, titles and what they need, read without running them."""

import ast
import difflib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from lab import paths
from lab.errors import LabError

MAX_LINES = 40
MAX_COLUMNS = 72
LIMIT = 60.0
"""Seconds that one snippet may run, unless it asks for more by `cluster.limit`."""
MAX_LIMIT = 600.0
T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# A snippet of such a name would hide the module from itself: its own folder is searched first.
_TAKEN = {"lab", "kubernetes", "pyroute2", "yaml", "urllib3"} | set(sys.stdlib_module_names)


@dataclass(frozen=True)
class Snippet:
    """One file of `snippets/<chapter>/`.

    Attributes:
        name: Chapter and file, such as `pod_to_pod/pod_route`.
        path: The file.
        title: The first line of its docstring.
        scenario: What it says it needs, or None.
        alone: Why nothing may run beside it, or None.
        limit: Seconds that it may run.
        faults: What keeps it from being run or shown, each with its line; empty for a good one.
    """

    name: str
    path: Path
    title: str
    scenario: str | None
    faults: tuple[str, ...] = ()
    alone: str | None = None
    limit: float = LIMIT

    @property
    def chapter(self) -> str:
        """The folder's name."""
        return self.name.split("/")[0]

    @property
    def out(self) -> Path:
        """Where its transcript is kept."""
        return self.path.with_suffix(".out")

    @property
    def receipt(self) -> Path:
        """Where its receipt is kept."""
        return self.path.with_suffix(".json")

    def __str__(self) -> str:
        return self.name

    def check(self) -> None:
        """Refuse a snippet with faults.

        Raises:
            LabError: All faults at once.
        """
        if self.faults:
            raise LabError(
                f"{self.name} cannot be run", detail="\n".join(self.faults), hint=f"edit {_shown(self.path)}"
            )


def discover() -> list[Snippet]:
    """All snippets, in the order of their names.

    Raises:
        LabError: A file lies at a place where no snippet can be, or two snippets have one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(paths.SNIPPETS.rglob("*.py")):
        parts = path.relative_to(paths.SNIPPETS).with_suffix("").parts
        if "__pycache__" in parts:
            continue
        if len(parts) != 2:
            raise LabError(
                f"{_shown(path)} is not in a chapter", hint="snippets are called snippets/<chapter>/<name>.py"
            )
        # A page's name has dashes where the file's has underscores: both would be one.
        key = "/".join(parts).lower().replace("-", "_")
        if key in found:
            raise LabError(
                f"two snippets have the name {key}",
                detail=f"{_shown(found[key])}\n{_shown(path)}",
                hint="rename one of them",
            )
        found[key] = path
    return [read(path) for path in found.values()]


def select(names: Iterable[str]) -> list[Snippet]:
    """The snippets that these names mean; all for no names.

    Args:
        names: Chapters, `chapter/name`, plain names that only one chapter has, or paths of files.

    Raises:
        LabError: A name means nothing, or more than one snippet; says what comes near.
    """
    everything = discover()
    chosen: dict[str, Snippet] = {}
    wanted = list(names)
    for name in wanted:
        chosen.update((snippet.name, snippet) for snippet in _matches(name, everything))
    return [snippet for snippet in everything if not wanted or snippet.name in chosen]


def find(name: str) -> Snippet:
    """The one snippet of this name.

    Raises:
        LabError: There is none, or the name is a chapter's.
    """
    found = select([name])
    if len(found) != 1:
        raise LabError(
            f"{name} is a chapter of {len(found)} snippets",
            hint=f"name one of them: {', '.join(snippet.name for snippet in found)}",
        )
    return found[0]


def _matches(name: str, everything: list[Snippet]) -> list[Snippet]:
    short = _normal(name)
    exact = [snippet for snippet in everything if short in (snippet.name, snippet.chapter)]
    plain = exact or [snippet for snippet in everything if snippet.name.split("/")[1] == short]
    if not exact and len(plain) > 1:
        raise LabError(
            f"{name} is the name of {len(plain)} snippets",
            hint=f"say which: {', '.join(snippet.name for snippet in plain)}",
        )
    if plain:
        return plain
    known = [snippet.name for snippet in everything]
    chapters = sorted({snippet.chapter for snippet in everything})
    what = "snippet" if "/" in short else "snippet or chapter"
    raise LabError(f"there is no {what} {name!r}", hint=_nearest(short, known, chapters))


def _normal(name: str) -> str:
    """A name as given, or as a shell completes it: `./snippets/pod_to_pod/pod_route.py`."""
    short = name.removeprefix("./").strip("/")
    if short.startswith(str(paths.SNIPPETS).strip("/")):
        short = short[len(str(paths.SNIPPETS).strip("/")) :].strip("/")
    for suffix in (".py", ".out", ".json"):
        short = short.removesuffix(suffix)
    return short.removeprefix("snippets/").replace("-", "_")


def _nearest(name: str, known: list[str], chapters: list[str]) -> str:
    by_tail = {snippet.split("/")[1]: snippet for snippet in known}
    near = difflib.get_close_matches(name, [*known, *chapters], n=3, cutoff=0.6)
    tails = difflib.get_close_matches(name.split("/")[-1], by_tail, n=3, cutoff=0.6)
    near += [by_tail[tail] for tail in tails if by_tail[tail] not in near]
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    return f"the chapters are: {', '.join(chapters) or 'none yet'}"


def orphans() -> list[Path]:
    """Transcripts and receipts that no snippet belongs to."""
    files = [*paths.SNIPPETS.rglob("*.out"), *paths.SNIPPETS.rglob("*.json")]
    return sorted(path for path in files if not path.with_suffix(".py").exists())


@dataclass(frozen=True)
class _Tree:
    """What is looked for in a snippet's source.

    Attributes:
        title: The first line of its docstring, or nothing.
        statements: The expressions that are lines of their own, not indented.
        asserts: Whether it has an assertion that can fail.
    """

    title: str
    statements: tuple[ast.expr, ...]
    asserts: bool
    _calls: tuple[tuple[str, ast.Call], ...]

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(text: str) -> "_Tree":
        """Read a source; the same one only once, since a command looks at all snippets several times."""
        tree = ast.parse(text)
        nodes = list(ast.walk(tree))
        calls = [
            (node.func.attr, node)
            for node in nodes
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "cluster"
        ]
        return _Tree(
            (ast.get_docstring(tree) or "").split("\n")[0],
            tuple(node.value for node in tree.body if isinstance(node, ast.Expr)),
            any(isinstance(node, ast.Assert) and _can_fail(node.test) for node in nodes),
            tuple(sorted(calls, key=lambda named: named[1].lineno)),
        )

    def calls(self, name: str) -> list[ast.Call]:
        """The calls of `cluster.<name>`, in the order of the file."""
        return [call for each, call in self._calls if each == name]


def read(path: Path) -> Snippet:
    """Read one snippet's file without running it; what is wrong with it stands in its `faults`."""
    name = f"{path.parent.name}/{path.stem}"
    try:
        text = path.read_text(encoding="utf-8")
        tree = _Tree.of(text)
    except (SyntaxError, UnicodeDecodeError) as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else "not UTF-8"
        return Snippet(name, path, "", None, (f"{line}this is not Python: {reason}",))
    faults = _name_faults(path)
    title = tree.title
    if not title:
        faults.append("line 1: begins with no docstring; its first line is the title")
    scenario = _needs(tree, faults)
    alone = _literal(tree, "alone", str, 'reason, such as "stops kube-proxy"', faults)
    limit = _limit(tree, faults)
    if not tree.asserts:
        faults.append("it asserts nothing: add an `assert` for each thing that its page says")
    faults += _size_faults(text)
    return Snippet(name, path, title, scenario, tuple(faults), alone, limit)


def _name_faults(path: Path) -> list[str]:
    faults = [
        f"the name {part!r} must be lower-case letters, digits and underscores"
        for part in (path.parent.name, path.stem)
        if not _NAME.fullmatch(part)
    ]
    if path.stem in _TAKEN:
        faults.append(f"the name {path.stem!r} is a Python module's: another one shows better what it is about")
    return faults


def _needs(tree: _Tree, faults: list[str]) -> str | None:
    """The scenario in `cluster.needs("...")`."""
    scenario = _literal(tree, "needs", str, 'name, such as "pods"', faults)
    known = sorted(path.stem for path in (paths.SNIPPETS / "scenarios").glob("*.yaml"))
    if scenario is None or scenario in known:
        return scenario
    line, there = tree.calls("needs")[0].lineno, ", ".join(known) or "none"
    faults.append(f"line {line}: there is no scenario {scenario!r}; there are: {there}")
    return None


def _limit(tree: _Tree, faults: list[str]) -> float:
    """The seconds in `cluster.limit(...)`."""
    limit = _literal(tree, "limit", int, "number of seconds", faults)
    if limit is None or LIMIT < limit <= MAX_LIMIT:
        return LIMIT if limit is None else float(limit)
    line = tree.calls("limit")[0].lineno
    faults.append(f"line {line}: cluster.limit takes more than {LIMIT:g} and at most {MAX_LIMIT:g} seconds")
    return LIMIT


def _literal(tree: _Tree, name: str, kind: type[T], what: str, faults: list[str]) -> T | None:
    """The one literal in the one call `cluster.<name>(...)`, or None; anything else is a fault."""
    calls = tree.calls(name)
    if not calls:
        return None
    call = calls[0]
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    value = values[0].value if len(values) == 1 and isinstance(values[0], ast.Constant) else None
    if len(calls) > 1:
        faults.append(f"line {calls[1].lineno}: cluster.{name} is called twice; once says it all")
    elif call.keywords or not value or type(value) is not kind:
        faults.append(f"line {call.lineno}: cluster.{name} takes one literal {what}")
    elif call not in tree.statements:
        faults.append(f"line {call.lineno}: cluster.{name} must be a line of its own, not indented")
    else:
        return value
    return None


def _can_fail(test: ast.expr) -> bool:
    """Whether an assertion looks at anything: a constant or a non-empty tuple does not."""
    return any(isinstance(node, ast.Name) for node in ast.walk(test)) and not isinstance(test, ast.Tuple)


def _size_faults(text: str) -> list[str]:
    lines = text.splitlines()
    faults = [
        f"line {number}: has {len(line)} columns, a page shows {MAX_COLUMNS}"
        for number, line in enumerate(lines, 1)
        if len(line) > MAX_COLUMNS
    ]
    if len(lines) > MAX_LINES:
        faults.append(f"it has {len(lines)} lines, a reader takes {MAX_LINES}: split it")
    return faults


def _shown(path: Path) -> str:
    return str(path.relative_to(paths.ROOT)) if path.is_relative_to(paths.ROOT) else str(path)
