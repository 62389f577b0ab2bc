"""The figures are drawn from the cluster's description."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.errors import LabError
from lab.paths import SNIPPETS
from lab.site import figures
from lab.site.checks import Tree
from lab.site.facts import Facts
from lab.spec import CLUSTER_YAML, load_spec

DRAWN = figures.draw()
# Addresses, long numbers, hashed names: what a reader compares with her own screen.
_NAMES = re.compile(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?|0x\w+|\b\d{4,}\b|KUBE-[A-Z]+-\w{16}|cali[\w:-]*\w|service-[A-Z\d]{8}")


@pytest.mark.parametrize("name", figures.FIGURES)
def test_the_committed_figure_is_current(name: str) -> None:
    """The file is what the description gives today; else: python -m lab.site.figures."""
    assert (figures.FOLDER / name).read_text(encoding="utf-8") == DRAWN[name]


@pytest.mark.parametrize("name", figures.FIGURES)
def test_it_can_stand_in_a_page(name: str) -> None:
    """One element with a name and a description, and no empty line that would end it in Markdown."""
    text = DRAWN[name]
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    ids = [root.find(f"{space}{tag}").get("id") for tag in ("title", "desc")]  # type: ignore[union-attr]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == " ".join(map(str, ids))
    assert "\n\n" not in text


def test_the_map_names_every_node_in_picture_and_words() -> None:
    """Name, address and block of each node are drawn, and told to who cannot see them."""
    spec = load_spec()
    root = ElementTree.fromstring(figures.cluster_map(spec))
    drawn = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    words = root.find("{http://www.w3.org/2000/svg}desc")
    assert words is not None and words.text
    assert spec.nodes
    for node in spec.nodes:
        for fact in (node.name, node.address, str(figures.BLOCKS[node.name])):
            assert any(fact in text for text in drawn)
            assert fact in words.text


def test_an_unknown_node_is_an_error() -> None:
    """A node whose block nobody knows is not drawn with a wrong one."""
    spec = load_spec()
    with pytest.raises(LabError, match=r"no block in .* is known for the node other"):
        figures.cluster_map(replace(spec, nodes=(*spec.nodes[:-1], replace(spec.nodes[-1], name="other"))))


def test_the_blocks_are_those_of_the_cluster() -> None:
    """Each block that the map shows was printed by the cluster too: it stands in a transcript."""
    printed = "".join(path.read_text(encoding="utf-8") for path in (figures.ROOT / "snippets").rglob("*.out"))
    assert [block for block in map(str, figures.BLOCKS.values()) if block not in printed] == []


@pytest.fixture(scope="module")
def printed() -> str:
    """All that the cluster was told and has printed."""
    files = [CLUSTER_YAML, *SNIPPETS.glob("scenarios/*.yaml"), *SNIPPETS.glob("*/*.out")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_address_is_one_of_the_cluster(printed: str, name: str) -> None:
    """Addresses, ports and hashed names, in picture and words, stand in the description, a scenario or a capture."""
    shown = set(_NAMES.findall("".join(ElementTree.fromstring(DRAWN[name]).itertext())))
    assert shown or name in {"hooks.svg", "cascade.svg"}
    assert {each for each in shown if each not in printed} - {
        str(block[0]) for block in figures.BLOCKS.values()
    } == set()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_on_a_page(tree: Tree, name: str) -> None:
    """None is drawn for nobody."""
    assert [include.page for include in tree.includes if include.path == f"docs/assets/figures/{name}"] != []


def test_every_chapter_has_a_figure(tree: Tree) -> None:
    """A picture of its own subject, beside the map that all have."""
    own = {include.page for include in tree.includes if include.path.endswith(".svg")}
    chapters = {f"docs/{path.name.replace('_', '-')}.md" for path in SNIPPETS.iterdir() if list(path.glob("*.out"))}
    assert len(chapters) > 10
    assert chapters - own == set()


# Another cluster: for each of its names, what this one calls it.
_OTHER = {
    "172.16.": "172.17.",
    "10.96.": "10.112.",
    "192.168.56.": "192.168.57.",
    "KUBE-SVC-L": "KUBE-SVC-M",
    "KUBE-SEP-N": "KUBE-SEP-O",
    "KUBE-SEP-I": "KUBE-SEP-J",
    "KUBE-SEP-E": "KUBE-SEP-F",
    "calibd23": "calibe34",
    "cali7715": "cali8826",
    "calia7a3": "calia8b4",
    "cali-pi-_J": "cali-pi-_K",
    "cali40s:u": "cali40s:v",
    "service-PF": "service-QG",
    "0x10000": "0x20000",
    "30081": "30091",
    "30084": "30094",
    "30070": "30071",
    "9000": "9001",
    "8080": "8090",
    "web-2   ": "web-3   ",
    "mtu:1480": "mtu:1470",
    "over 1480": "over 1470",
    "calico-ipam": "calico-ipbm",
    "portmap": "portmop",
    "kube-ipvs0": "kube-ipvs1",
}


def _renamed(text: str) -> str:
    # A figure has the name of this pod without the blanks of a table.
    for old, new in {**_OTHER, ">web-2<": ">web-3<", "pod web-2": "pod web-3"}.items():
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", figures.OF_CAPTURES)
def test_no_name_in_a_figure_is_typed(tmp_path: Path, name: str) -> None:
    """On a cluster where all is called otherwise, the figure is the same with the other names."""
    snippets, description = tmp_path / "snippets", tmp_path / "cluster.yaml"
    shutil.copytree(SNIPPETS, snippets, ignore=shutil.ignore_patterns("*.py", "*.json", "__pycache__"))
    for path in (*snippets.rglob("*.out"), *snippets.rglob("*.yaml")):
        path.write_text(_renamed(path.read_text(encoding="utf-8")), encoding="utf-8")
    description.write_text(_renamed(CLUSTER_YAML.read_text(encoding="utf-8")), encoding="utf-8")
    drawn = figures.OF_CAPTURES[name](Facts(load_spec(description), snippets))
    assert drawn == _renamed(DRAWN[name])
    assert drawn != DRAWN[name]


FACTS = Facts(load_spec(), SNIPPETS)
MISSING = {
    "node": (lambda: FACTS.node("node09"), "there is no node 'node09'"),
    "pod": (lambda: FACTS.pod("web", "pod2"), "the scenario web has no Pod 'pod2'"),
    "line": (lambda: FACTS.printed("cluster_ip/dns", "no such line"), "has 0 places that fit 'no such line', not one"),
    "several lines": (lambda: FACTS.printed("cluster_ip/nat_diff", r"^web-\d"), "has 3 places"),
}


@pytest.mark.parametrize(("ask", "cause"), MISSING.values(), ids=MISSING.keys())
def test_what_is_not_there_is_an_error(ask: Callable[[], object], cause: str) -> None:
    """A figure is not drawn with a name that nobody has."""
    with pytest.raises(LabError, match=re.escape(cause)):
        ask()
