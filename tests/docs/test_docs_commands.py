"""Every command that a chapter shows is explained: the prose of it or of an earlier one names it."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from lab.site.sources import load
from lab.site.views import groups

ROOT = Path(__file__).parents[2]
# What every reader of a book about Linux has typed already.
PLAIN = {"[", "bash", "cat", "cd", "cp", "echo", "grep", "ls", "mkdir", "mv", "sh", "sleep", "touch"}
_MARKS = "|;&()<>"
# After these the shell still waits for a command.
_BEFORE = {"!", "do", "else", "exec", "if", "then", "until", "while"}
# Programs that start the one that stands behind their options.
_WRAPPERS = {"busybox", "timeout", "unshare"}
_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,}).*?^[ \t]*(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_TRANSCRIPT = re.compile(r'^[ \t]*--8<-- "(?P<path>snippets/\w+/\w+\.out)"', re.MULTILINE)
_ENDS = re.compile(r"^## What surprised us$.*", re.MULTILINE | re.DOTALL)


def programs(command: str) -> Iterator[str]:
    """The programs that a command line starts, in their order, without their folders."""
    # What follows << is a file and no command.
    text = command.partition("<<")[0].replace("\\\n", " ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_MARKS)
    lexer.whitespace_split, lexer.commenters = True, ""
    waits, behind_wrapper = True, False
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(_MARKS):
            waits, behind_wrapper = word[-1] in "|;&(" and not set(word) & set("<>"), False
        elif waits and word in {"for", "done", "$"}:
            waits = False
        elif waits and not _passes(word, behind_wrapper):
            yield (name := word.rpartition("/")[2])
            waits = behind_wrapper = name in _WRAPPERS
        elif not waits and words[-2:] in (["sh", "-c"], ["bash", "-c"]):
            yield from programs(word)
        elif not waits:
            waits = _opens([*words, word])
        words.append(word)


def _passes(word: str, behind_wrapper: bool) -> bool:
    """Whether a word stands before the program: a word of the shell, a variable, an option of what starts it."""
    return word in _BEFORE or bool(re.match(r"\w+=", word)) or (behind_wrapper and bool(re.match(r"-|\d", word)))


def _opens(words: list[str]) -> bool:
    """Whether the words end where another program runs a command: in a namespace, or in a container."""
    inside = words[-1] == "--" and "kubectl" in words and not {"exec", "--command"}.isdisjoint(words)
    return inside or words[-3:-1] == ["netns", "exec"]


def shown(root: Path, page: str) -> list[str]:
    """The programs that the transcripts of a page start, each once, in their order."""
    found: dict[str, None] = {}
    for match in _TRANSCRIPT.finditer(page):
        for group in groups((root / match["path"]).read_text(encoding="utf-8")):
            for command in group.commands:
                found.update(dict.fromkeys(programs(command)))
    return list(found)


def named(text: str) -> set[str]:
    """The words that stand in inline code in prose."""
    prose = _FENCE.sub("", text)
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)
    return {word.rpartition("/")[2] for span in spans for word in re.findall(r"[\w./-]+", span)}


def unexplained(root: Path, pages: Iterable[str]) -> list[str]:
    """Programs that a page shows before any prose has named them.

    Args:
        root: The folder that `docs` and `snippets` are in.
        pages: Names of the pages in the order in which they are read.
    """
    faults, known = [], set(PLAIN)
    for name in pages:
        page = (root / "docs" / f"{name}.md").read_text(encoding="utf-8")
        body = _ENDS.sub("", page)
        missing: list[str] = []
        known |= named(body)
        # The part that looks back on a page explains only what it shows itself.
        for text, explained in ((body, known), (page.removeprefix(body), known | named(page))):
            missing += [each for each in shown(root, text) if each not in explained and each not in missing]
        faults += [f"docs/{name}.md shows {each} and never explains it" for each in missing]
    return faults


@pytest.fixture(scope="module")
def chapters() -> list[str]:
    """The names of the chapters in their order."""
    return [chapter.name for chapter in load(ROOT / "docs").chapters]


def test_every_chapter_shows_commands(chapters: list[str]) -> None:
    """The check below looks at something on each page, and at most of what the book types."""
    found = {name: shown(ROOT, (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")) for name in chapters}
    assert [name for name, programs in found.items() if len(programs) < 5] == []
    assert len(set().union(*found.values())) > 40


def test_every_command_is_explained_where_it_is_first_shown(chapters: list[str]) -> None:
    """A reader who follows the book meets no program before the prose has named it."""
    assert unexplained(ROOT, chapters) == []


def test_no_exception_is_there_for_nothing(chapters: list[str]) -> None:
    """Each word that needs no explanation is typed in some chapter, so that the list stays short."""
    pages = [(ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in chapters]
    assert sorted(PLAIN - {each for page in pages for each in shown(ROOT, page)}) == []


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("ip route", ["ip"]),
        ("ip route | head -n 1; id && echo done > /tmp/x", ["ip", "head", "id", "echo"]),
        ("grep 'a | b; c' \"d | e\" 2>/dev/null || true", ["grep", "true"]),
        ("CNI_COMMAND=ADD CNI_PATH=/x \\\n  /opt/cni/bin/ptp < /run/demo.json > /run/out", ["ptp"]),
        ("kill -9 $(pgrep -f '^busybox')", ["kill", "pgrep"]),
        ("ip netns exec host1 ping -c 1 10.1.0.2", ["ip", "ping"]),
        ("ip -n demo -4 addr", ["ip"]),
        ("kubectl exec duo -c back -- curl -s localhost | sort", ["kubectl", "curl", "sort"]),
        (
            "kubectl exec duo -- sh -c 'cd /x; for k in net uts; do readlink $k; done'",
            ["kubectl", "sh", "cd", "readlink"],
        ),
        ("kubectl label pod web -- x", ["kubectl"]),
        ("kubectl apply -f - <<'END'\nkind: Pod | x\nEND", ["kubectl"]),
        ("unshare --pid --fork unshare --pid grep NSpid", ["unshare", "unshare", "grep"]),
        ("kubectl run left --image x --command -- busybox httpd -f", ["kubectl", "busybox", "httpd"]),
        ("kubectl logs x 2>&1 | sort > /dev/null 2>&1 &", ["kubectl", "sort"]),
        ("awk '$1 > 60' /tmp/x; id", ["awk", "id"]),
        ("timeout 5 kubectl get pods", ["timeout", "kubectl"]),
        ("((until [ -e /tmp/go ]; do sleep 0.2; done; printf x) | nc host > /tmp/y) &", ["[", "sleep", "printf", "nc"]),
    ],
)
def test_what_a_line_starts(command: str, found: list[str]) -> None:
    """Each program is found, behind every mark of the shell, and no argument is taken for one."""
    assert list(programs(command)) == found


def _book(root: Path, **pages: str) -> Path:
    (root / "docs").mkdir()
    (root / "snippets" / "page").mkdir(parents=True)
    (root / "snippets" / "page" / "look.out").write_text(
        "node01$ ip route | frobnicate -n\n10.0.0.0/8\n", encoding="utf-8"
    )
    for name, text in pages.items():
        (root / "docs" / f"{name}.md").write_text(text, encoding="utf-8")
    return root


SHOWN = '```` { .node-console }\n--8<-- "snippets/page/look.out"\n````\n'
FAULT = ["docs/b.md shows frobnicate and never explains it"]
PROSE = {
    "nowhere": ("`ip` prints.\n", SHOWN, FAULT),
    "on the page": ("", f"`ip` prints, `frobnicate -n` counts.\n{SHOWN}", []),
    "on an earlier page": ("`ip` prints, `frobnicate` counts.\n", SHOWN, []),
    "in a block of code only": ("`ip` prints.\n", f"```sh\nsee `frobnicate`\n```\n{SHOWN}", FAULT),
    "without code": ("`ip` prints, frobnicate counts.\n", SHOWN, FAULT),
    "behind the part that looks back": ("`ip` prints.\n", f"{SHOWN}\n## What surprised us\n\n`frobnicate`\n", FAULT),
}


@pytest.mark.parametrize(("earlier", "page", "faults"), PROSE.values(), ids=PROSE.keys())
def test_a_planted_command_is_seen(tmp_path: Path, earlier: str, page: str, faults: list[str]) -> None:
    """A program that no prose names is told, and one that is named is not."""
    assert unexplained(_book(tmp_path, a=earlier, b=page), ["a", "b"]) == faults


def test_a_later_page_explains_nothing(tmp_path: Path) -> None:
    """The order of the book counts: what comes afterwards is too late."""
    assert unexplained(_book(tmp_path, a="`ip`, `frobnicate`\n", b=f"`ip`\n{SHOWN}"), ["b", "a"]) == FAULT
