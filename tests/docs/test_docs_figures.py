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
FACTS = Facts(load_spec(), SNIPPETS)
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


def test_the_map_names_everything_in_picture_and_words() -> None:
    """Each node's name, addresses and block, the router, and the two Services of every cluster."""
    root = ElementTree.fromstring(figures.cluster_map(FACTS))
    drawn = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    words = root.find("{http://www.w3.org/2000/svg}desc")
    assert words is not None and words.text
    networks, nodes = FACTS.spec.networks, FACTS.spec.nodes
    assert len(nodes) == 3
    facts = [(node.name, node.address, str(FACTS.block(node.name)), FACTS.tunnel(node.name)) for node in nodes]
    wanted = [
        networks.gateway,
        "kubernetes",
        "10.96.0.1",
        "kube-dns",
        networks.dns,
        *(each for one in facts for each in one),
    ]
    for name in wanted:
        shown = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w/]|\.\d)")
        assert any(shown.search(text) for text in drawn), name
        assert shown.search(words.text), name


def test_the_tunnel_has_the_address_that_the_node_printed() -> None:
    """One node was asked for it in so many words; the others were seen by a pod."""
    assert f"inet {FACTS.tunnel('node01')}/32 scope global tunl0\n" in (
        SNIPPETS / "node_port/source_cluster.out"
    ).read_text("utf-8")
    assert len({FACTS.tunnel(node.name) for node in FACTS.spec.nodes}) == 3


def test_an_unknown_node_is_an_error() -> None:
    """A node whose block nobody printed is not drawn with a wrong one."""
    spec = load_spec()
    other = replace(spec, nodes=(*spec.nodes[:-1], replace(spec.nodes[-1], name="other")))
    with pytest.raises(LabError, match=r"block_affinities.out has 0 places that fit '\^other"):
        figures.cluster_map(Facts(other, SNIPPETS))


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
        str(FACTS.block(node.name)[0]) for node in FACTS.spec.nodes
    } == set()


def _stray(words: str) -> list[str]:
    """Marks that stand together where parts were joined, with what is around them; also a sentence without an end."""
    found = [match[0] for match in re.finditer(r".{0,20}(?:[:;?!,.][,;:.]|[:;,?] *$|\s[,;:.]|  ).{0,9}", words)]
    return found + ([] if words.endswith(".") else [words[-20:]])


@pytest.mark.parametrize("name", figures.FIGURES)
def test_the_words_have_no_stray_marks(name: str) -> None:
    """What a figure tells who cannot see it is read aloud, so it is made of sentences."""
    words = ElementTree.fromstring(DRAWN[name]).findtext("{http://www.w3.org/2000/svg}desc")
    assert words
    assert _stray(words) == []


STRAY = {
    "a colon and a comma": "BIRD writes routes to other nodes:, 172.16.140.64/26.",
    "a question and a comma": "whose turn is it?, then its own table.",
    "two blanks": "3, ADD: calico  makes a cable.",
    "a blank before": "5, starts ; and so on.",
    "no end": "It writes 172.16.196.128/26",
}


@pytest.mark.parametrize("words", STRAY.values(), ids=STRAY.keys())
def test_a_stray_mark_is_seen(words: str) -> None:
    """Each kind once."""
    assert len(_stray(words)) == 1


def test_the_words_say_who_writes_what_and_what_fails() -> None:
    """Lines of a box are no sentence: the words join them by what they mean."""
    assert (
        "BIRD writes the routes to other nodes, such as 172.16.140.64/26, and the blackhole 172.16.196.128/26. "
        "The fourth, the CNI plugin, is started by kubelet and containerd, once for a pod: it makes"
    ) in DRAWN["writers.svg"]
    assert "at the route, it is lost, or BGP is down; at tunl0, an MTU too big, over 1480;" in DRAWN["failures.svg"]
    assert (
        "IPVS: kube-ipvs0 (the node has the address), then 10.96.0.80:80 (rr: whose turn is it?), then its own"
        in (DRAWN["three-modes.svg"])
    )


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
