"""The two views of a step: the shell view has the transcript's commands, where they are typed, and what comes first."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from markdown import Markdown
from markdown.extensions import Extension
from mkdocs.exceptions import BuildError

from lab.receipt import SCHEMA, digest
from lab.site.anchors import anchor
from lab.site.views import Group, ViewsExtension, beginning, groups, remarks, way_in
from lab.snippets import Snippet, discover

NODES = ["controlplane", "node01", "node02"]

TRANSCRIPTS = {
    "one place": ("node01$ a\nx\nnode01$ b\n", [Group("node01", False, ["a", "b"])]),
    "the order stays": (
        "node01$ a\nnode01/pod2$ b\nnode01$ c\n",
        [Group("node01", False, ["a"]), Group("node01/pod2", False, ["b"]), Group("node01", False, ["c"])],
    ),
    "several lines": (
        "node01$ cat <<'END'\n>   one\n> \n> END\n  one\n",
        [Group("node01", False, ["cat <<'END'\n  one\n\nEND"])],
    ),
    "what goes on beside others": (
        "node01$ a\nnode01$ dump -i x\nlistening\nnode01$ b\nok\n[node01: dump -i x]\n1 packet\n",
        [Group("node01", False, ["a"]), Group("node01", True, ["dump -i x"]), Group("node01", False, ["b"])],
    ),
    "failed": ("node01$ a\n[exit status 1]\n", [Group("node01", False, ["a"])]),
    "nothing typed": ("text\n", []),
}


@pytest.mark.parametrize(("text", "found"), TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
def test_the_commands_are_the_transcripts(text: str, found: list[Group]) -> None:
    """Without prompts and outputs, in their order, together while they are typed in one place."""
    assert groups(text) == found


PLACES = {
    "node01": "lab ssh node01",
    "node02/web-1": "lab kubectl -- exec -it web-1 -- sh",
    "sandbox": "in the sandbox",
    "front": "in the sandbox: ip netns exec front sh",
}


@pytest.mark.parametrize(("place", "command"), PLACES.items(), ids=PLACES.keys())
def test_each_place_has_its_way_in(place: str, command: str) -> None:
    """A node by ssh, a pod by kubectl, a host of the sandbox from inside of it."""
    assert way_in(place, NODES) == command


def _receipt(scenario: str | None, *steps: tuple[str, str, bool]) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "steps": [{"node": node, "command": command, "shown": shown} for node, command, shown in steps],
    }


def test_objects_are_applied_first() -> None:
    """The scenario of the receipt is what a reader applies."""
    assert beginning(_receipt("web"), [Group("node01")], NODES) == [
        "lab kubectl -- apply -f - < snippets/scenarios/web.yaml"
    ]


def test_a_world_is_built_first() -> None:
    """The sandbox begins as the snippet's did: with its world, and hosts of its own."""
    receipt = _receipt(
        None,
        ("sandbox", "sh /run/lab/two-hosts.sh", False),
        ("sandbox", "sh /run/lab/host.sh world", False),
        ("world", "ip route", True),
    )
    assert beginning(receipt, [Group("world")], NODES) == ["lab sandbox two-hosts", "sh /run/lab/host.sh world"]
    assert remarks(receipt, "") == ""


def test_a_node_needs_nothing_first() -> None:
    """Without objects a node is as it is."""
    assert beginning(_receipt(None), [Group("node01")], NODES) == []


def test_what_is_not_shown_is_owned_up_to() -> None:
    """A reader learns that the shown commands are not all, and that netlink is no command."""
    receipt = _receipt(None, ("node01", "a", True), ("node01", "b", False))
    assert remarks(receipt, "x = 1") == "The snippet also ran one more command, which is in the receipt only."
    both = remarks(_receipt(None, *receipt_steps(3)), 'ip.link("add", ifname="br0")')
    assert both.startswith("What Python builds through netlink is no command")
    assert both.endswith("also ran 3 more commands, which are in the receipt only.")


def receipt_steps(count: int) -> list[tuple[str, str, bool]]:
    return [("node01", f"quiet {number}", False) for number in range(count)]


OUT = "node01$ ip route | grep '<x>'\ndefault\n"
PYTHON = '```python title="snippets/pods/route.py"\n--8<-- "snippets/pods/route.py"\n```\n'
TRANSCRIPT = '```` { .node-console }\n--8<-- "snippets/pods/route.out"\n````\n'


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with one snippet and its capture."""
    folder = tmp_path / "snippets" / "pods"
    folder.mkdir(parents=True)
    (folder / "route.py").write_text("x = 1\n", encoding="utf-8")
    (folder / "route.out").write_text(OUT, encoding="utf-8")
    receipt = {"schema": SCHEMA, "snippet": "pods/route", "date": "", "versions": {}, "out": digest(OUT)}
    (folder / "route.json").write_text(json.dumps(receipt | _receipt("pods")), encoding="utf-8")
    return tmp_path


def _page(base: Path, text: str) -> BeautifulSoup:
    settings = {"pymdownx.snippets": {"base_path": [str(base)], "check_paths": True}}
    extensions: list[str | Extension] = ["pymdownx.snippets", "pymdownx.superfences"]
    extensions.append(ViewsExtension(base_path=str(base)))
    return BeautifulSoup(Markdown(extensions=extensions, extension_configs=settings).convert(text), "html.parser")


def _tabs(page: BeautifulSoup) -> list[Tag]:
    return page.select(".tabbed-set > .tabbed-content > .tabbed-block")


def test_python_is_one_tab_and_shell_the_other(base: Path) -> None:
    """The block before the transcript is framed, the transcript stays outside."""
    page = _page(base, f"before\n\n{PYTHON}\n{TRANSCRIPT}\nafter\n")
    python, shell = _tabs(page)
    assert [label.get_text() for label in page.select("label")] == ["Python", "Shell"]
    assert "x = 1" in python.get_text()
    assert [code.get_text() for code in shell.select("pre > code")] == [
        "lab kubectl -- apply -f - < snippets/scenarios/pods.yaml\n",
        "ip route | grep '<x>'\n",
    ]
    assert [p.get_text() for p in shell.select("p")] == ["first, in the checkout", "lab ssh node01"]
    assert "default" not in page.select_one(".tabbed-set").get_text()  # type: ignore[union-attr]
    assert [child.name for child in page.find_all(recursive=False)] == ["p", "div", "div", "p"]


def test_each_radio_has_its_label_and_the_first_is_chosen(base: Path) -> None:
    """Two sets on a page share no name and no id."""
    page = _page(base, f"{PYTHON}\n{TRANSCRIPT}\ntext\n\n{PYTHON}\n{TRANSCRIPT}")
    sets = page.select(".tabbed-set")
    radios = [each.select(":scope > input[type=radio]") for each in sets]
    assert [len(each) for each in radios] == [2, 2]
    assert len({radio["id"] for each in radios for radio in each}) == 4
    assert len({radio["name"] for each in radios for radio in each}) == 2
    assert [[radio.has_attr("checked") for radio in each] for each in radios] == [[True, False]] * 2
    for frame, each in zip(sets, radios, strict=True):
        assert [label["for"] for label in frame.select("label")] == [radio["id"] for radio in each]


def test_blocks_in_a_row_are_one_view(base: Path) -> None:
    """A snippet in two blocks is one step."""
    (python, _) = _tabs(_page(base, f"{PYTHON}\n{PYTHON}\n{TRANSCRIPT}"))
    assert len(python.select("pre")) == 2


def test_prose_between_the_two_is_no_hindrance(base: Path) -> None:
    """The snippet's last block has the views, and the prose stays where it is."""
    page = _page(base, f"{PYTHON}\nprose\n\n{TRANSCRIPT}")
    assert len(_tabs(page)) == 2
    assert [child.name for child in page.find_all(recursive=False)] == ["div", "p", "div"]


def test_it_keeps_its_place_in_a_list(base: Path) -> None:
    """A step in a list item has its views in the same item."""
    indented = "".join(f"    {line}\n" if line else "\n" for line in f"{PYTHON}\n{TRANSCRIPT}".splitlines())
    page = _page(base, f"1. one\n\n{indented}\n2. two\n")
    assert len(page.select("ol > li")) == 2
    assert len(page.select("li:first-child > .tabbed-set .tabbed-block")) == 2


@pytest.mark.parametrize(
    "text", [TRANSCRIPT, PYTHON, f"```python\nx = 1\n```\n\n{TRANSCRIPT}", f"`````\n{PYTHON}`````\n"]
)
def test_nothing_else_has_views(base: Path, text: str) -> None:
    """Not a transcript alone, not Python alone, not Python that no snippet is, not an example of a fence."""
    assert _tabs(_page(base, text)) == []


def test_a_bad_receipt_stops_the_build(base: Path) -> None:
    """The build ends with a message that names the way out."""
    (base / "snippets" / "pods" / "route.json").unlink()
    with pytest.raises(BuildError, match="lab update pods/route"):
        _page(base, f"{PYTHON}\n{TRANSCRIPT}")


@cache
def _built_page(path: Path) -> BeautifulSoup:
    """Read once: a page has up to fourteen steps."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.parametrize("snippet", discover(), ids=str)
def test_every_step_of_the_book_has_both(built: Path, snippet: Snippet) -> None:
    """On the built page: the Python, and as shell view exactly what the receipt says was run and shown."""
    page = _built_page(built / f"{snippet.chapter.replace('_', '-')}.html")
    start = page.find(id=anchor(snippet.name))
    assert isinstance(start, Tag)
    # A snippet's first block may be one of its own; its step is the next one.
    frame = start.find_next(class_="views")
    assert isinstance(frame, Tag)
    receipt = json.loads(snippet.receipt.read_text(encoding="utf-8"))
    shown = [step["command"].strip() for step in receipt["steps"] if step.get("shown") is not False]
    blocks = [(p.get_text(), p.find_next("code").get_text()) for p in frame.select(".shell > p:not(.said)")]  # type: ignore[union-attr]
    typed = [text for title, text in blocks if title != "first, in the checkout"]
    assert sorted("".join(f"{command}\n" for command in shown).splitlines()) == sorted("".join(typed).splitlines())
    assert {title.removesuffix(", in a terminal of its own") for title, _ in blocks} - {"first, in the checkout"} == {
        way_in(f"{step['node']}/{step['pod']}" if step.get("pod") else step["node"], NODES)
        for step in receipt["steps"]
        if step.get("shown") is not False
    }
    assert frame.select(".tabbed-block:first-child .language-python")
