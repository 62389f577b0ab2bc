"""The figures are drawn from the cluster's description."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.errors import LabError
from lab.site import figures
from lab.spec import load_spec


@pytest.mark.parametrize("name", figures.FIGURES)
def test_the_committed_figure_is_current(name: str) -> None:
    """The file is what the description gives today; else: python -m lab.site.figures."""
    assert (figures.FOLDER / name).read_text(encoding="utf-8") == figures.draw()[name]


@pytest.mark.parametrize("name", figures.FIGURES)
def test_it_can_stand_in_a_page(name: str) -> None:
    """One element with a name and a description, and no empty line that would end it in Markdown."""
    text = figures.draw()[name]
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
