"""Draws the book's figures as SVG from the cluster's own description, and from what it printed.

`python -m lab.site.figures` writes them to docs/assets/figures. A page
includes the file's text, so that the figure takes the page's colours and
fonts, in light and dark.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

from lab.errors import LabError
from lab.paths import SNIPPETS
from lab.site import pod_figures, sandbox_figures, service_figures
from lab.site.facts import Facts
from lab.site.svg import ACCENT as _ACCENT
from lab.site.svg import PAPER as _PAPER
from lab.site.svg import figure as _figure
from lab.site.svg import line as _line
from lab.site.svg import rect as _rect
from lab.site.svg import text as _text
from lab.spec import CLUSTER_YAML, NodeSpec, Spec, load_spec

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "assets" / "figures"

# Calico draws a node's first block from the node's name (Go's random numbers,
# seeded with a hash of the name), so these follow from the names in
# cluster.yaml. The captures of the pod chapter show them on the cluster.
BLOCKS = {
    "controlplane": IPv4Network("172.16.49.64/26"),
    "node01": IPv4Network("172.16.196.128/26"),
    "node02": IPv4Network("172.16.140.64/26"),
}

_LEFT = 12
_BOX = 264
_STEP = 286
_BOTTOM = 306
_TUNNEL = 222
_WIRE = 344


def cluster_map(spec: Spec) -> str:
    """Draw the map of the cluster: nodes, their addresses, their blocks, and what joins them.

    Args:
        spec: What cluster.yaml says.

    Raises:
        LabError: A node whose block is not known here, or not in the pod network.
    """
    networks, nodes = spec.networks, spec.nodes
    right = _LEFT + _STEP * (len(nodes) - 1) + _BOX
    size = 2 ** (32 - networks.block_size)
    blocks = [_block(node.name, networks.pods) for node in nodes]
    lines = [
        _text(_LEFT, 22, f"Pod network {networks.pods}", bold=True),
        _text(right, 22, f"each node has a block of {size} addresses", anchor="end", dim=True),
    ]
    for index, (node, block) in enumerate(zip(nodes, blocks, strict=True)):
        lines += _box(_LEFT + index * _STEP, node, block)
    lines += [
        _line(_LEFT + 16, _TUNNEL, right - 16, _TUNNEL, _ACCENT, dash="7 5"),
        _line(_LEFT, _WIRE, right, _WIRE, "currentColor"),
    ]
    for index, node in enumerate(nodes):
        lines += _devices(_LEFT + index * _STEP + _BOX // 2, node.address)
    lines += [
        _text(_LEFT, _WIRE + 26, f"Node network {networks.nodes}", bold=True),
        _text(
            right,
            _WIRE + 26,
            "dashed: the tunnel, a pod's packet inside a node's packet",
            anchor="end",
            dim=True,
        ),
        _text(
            _LEFT,
            _WIRE + 50,
            f"Services {networks.services}: on no wire, only in every node's rules",
            dim=True,
        ),
    ]
    return _figure("map", right + _LEFT, 404, "Map of the cluster", _in_words(spec, blocks), lines)


def _block(name: str, pods: str) -> IPv4Network:
    block = BLOCKS.get(name)
    if block is None or not block.subnet_of(IPv4Network(pods)):
        raise LabError(
            f"figures: no block in {pods} is known for the node {name}",
            hint="`kubectl get blockaffinities` shows it; add it to BLOCKS in lab/site/figures.py",
        )
    return block


def _in_words(spec: Spec, blocks: list[IPv4Network]) -> str:
    networks = spec.networks
    nodes = "; ".join(
        f"{node.name}, {node.role}, has the address {node.address} and the pod block {block}"
        for node, block in zip(spec.nodes, blocks, strict=True)
    )
    return (
        f"{len(blocks)} nodes on the network {networks.nodes}: {nodes}. "
        f"The blocks are parts of the pod network {networks.pods}. "
        "The tunnel device tunl0 of each node joins them: it puts a pod's packet inside a node's packet. "
        f"Service addresses from {networks.services} are on no wire."
    )


def _box(x: int, node: NodeSpec, block: IPv4Network) -> Iterator[str]:
    """One node, with the block of its pods."""
    last = str(block[-1]).rsplit(".", 1)[1]
    yield _rect(x, 40, _BOX, _BOTTOM - 40, _PAPER, "currentColor")
    yield _text(x + 16, 68, node.name, bold=True, size=17)
    yield _text(x + _BOX - 16, 68, node.role, anchor="end", dim=True)
    yield _rect(x + 16, 84, _BOX - 32, 92, _ACCENT, _ACCENT, opacity=0.1)
    yield _text(x + 32, 108, "its pods", dim=True)
    yield _text(x + 32, 134, str(block), mono=True, bold=True, size=16)
    yield _text(x + 32, 159, f"{block[0]} to .{last}", mono=True, size=13, dim=True)


def _devices(middle: int, address: str) -> Iterator[str]:
    """The tunnel device and the network card, each on the line that it uses."""
    yield _line(middle, _BOTTOM, middle, _WIRE, "currentColor")
    yield _rect(middle - 44, _TUNNEL - 15, 88, 30, _PAPER, _ACCENT)
    yield _text(middle, _TUNNEL + 5, "tunl0", anchor="middle", mono=True)
    yield _rect(middle - 102, _BOTTOM - 46, 204, 30, _PAPER, "currentColor")
    yield _text(middle, _BOTTOM - 26, f"eth0 {address}", anchor="middle", mono=True)
    yield _line(middle, _BOTTOM - 16, middle, _BOTTOM, "currentColor")


OF_THE_SPEC = {"cluster.svg": cluster_map, **sandbox_figures.FIGURES}
OF_CAPTURES = {**pod_figures.FIGURES, **service_figures.FIGURES}
FIGURES = (*OF_THE_SPEC, *OF_CAPTURES)


def draw(description: Path = CLUSTER_YAML, snippets: Path = SNIPPETS) -> dict[str, str]:
    """Draw every figure.

    Args:
        description: The file cluster.yaml.
        snippets: The folder of captures and scenarios.

    Returns:
        The SVG text of each figure by its file name.

    Raises:
        LabError: A figure's name or address is not where the figure reads it.
    """
    facts = Facts(load_spec(description), snippets)
    return {
        **{name: figure(facts.spec) for name, figure in OF_THE_SPEC.items()},
        **{name: figure(facts) for name, figure in OF_CAPTURES.items()},
    }


def main() -> None:
    """Write every figure to its file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in draw().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
