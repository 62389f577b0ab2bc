"""Draws the book's figures as SVG from the cluster's own description, and from what it printed.

`python -m lab.site.figures` writes them to docs/assets/figures. A page
includes the file's text, so that the figure takes the page's colours and
fonts, in light and dark.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

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

_LEFT = 12
_BOX = 264
_STEP = 286
_BOTTOM = 306
_TUNNEL = 222
_WIRE = 344


def cluster_map(facts: Facts) -> str:
    """Draw the map of the cluster: nodes with all their addresses, their blocks, and what joins them.

    Args:
        facts: What cluster.yaml says, and the captures of blocks and of the tunnel's addresses.

    Raises:
        LabError: A node whose block or tunnel address was not captured.
    """
    networks, nodes = facts.spec.networks, facts.spec.nodes
    right = _LEFT + _STEP * (len(nodes) - 1) + _BOX
    size = 2 ** (32 - networks.block_size)
    lines = [
        _text(_LEFT, 22, f"Pod network {networks.pods}", bold=True),
        _text(right, 22, f"each node has a block of {size} addresses", anchor="end", dim=True),
    ]
    for index, node in enumerate(nodes):
        lines += _box(_LEFT + index * _STEP, node, facts.block(node.name))
    lines += [
        _line(_LEFT + 16, _TUNNEL, right - 16, _TUNNEL, _ACCENT, dash="7 5"),
        _line(_LEFT, _WIRE, right, _WIRE, "currentColor"),
    ]
    for index, node in enumerate(nodes):
        lines += _devices(_LEFT + index * _STEP + _BOX // 2, node.address, facts.tunnel(node.name))
    router = right - _BOX // 2
    lines += [
        _line(router, _WIRE, router, _WIRE + 18, "currentColor"),
        _rect(router - 102, _WIRE + 18, 204, 30, _PAPER, "currentColor"),
        _text(router, _WIRE + 38, f"router {networks.gateway}", anchor="middle", mono=True),
        _text(_LEFT, _WIRE + 26, f"Node network {networks.nodes}", bold=True),
        _text(_LEFT, _WIRE + 48, "dashed: the tunnel, a pod's packet inside a node's packet", dim=True),
        _text(_LEFT, _WIRE + 84, f"Services {networks.services}", bold=True),
        _text(right, _WIRE + 84, "on no wire, only in every node's rules", anchor="end", dim=True),
        *(
            _text(_LEFT + index * _STEP, _WIRE + 108, f"{name} {address}", mono=True)
            for index, (name, address) in enumerate(_services(facts.spec))
        ),
    ]
    return _figure("map", right + _LEFT, _WIRE + 124, "Map of the cluster", _in_words(facts), lines)


def _services(spec: Spec) -> list[tuple[str, str]]:
    """The Services that every cluster has; the API server's takes the first address of their network."""
    first = IPv4Network(spec.networks.services)[1]
    return [("kubernetes", str(first)), ("kube-dns", spec.networks.dns)]


def _in_words(facts: Facts) -> str:
    networks = facts.spec.networks
    nodes = "; ".join(
        f"{node.name}, {node.role}, has the address {node.address}, the pod block {facts.block(node.name)} "
        f"and the tunnel device tunl0 with the address {facts.tunnel(node.name)}"
        for node in facts.spec.nodes
    )
    services = " and ".join(f"{name} has {address}" for name, address in _services(facts.spec))
    return (
        f"{len(facts.spec.nodes)} nodes on the network {networks.nodes}, with the router {networks.gateway}: {nodes}. "
        f"The blocks are parts of the pod network {networks.pods}. "
        "The tunnel joins the nodes: it puts a pod's packet inside a node's packet. "
        f"Service addresses from {networks.services} are on no wire, only in every node's rules: {services}."
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


def _devices(middle: int, address: str, tunnel: str) -> Iterator[str]:
    """The tunnel device and the network card, each on the line that it uses."""
    yield _line(middle, _BOTTOM, middle, _WIRE, "currentColor")
    yield _rect(middle - 102, _TUNNEL - 15, 204, 30, _PAPER, _ACCENT)
    yield _text(middle, _TUNNEL + 5, f"tunl0 {tunnel}", anchor="middle", mono=True)
    yield _rect(middle - 102, _BOTTOM - 46, 204, 30, _PAPER, "currentColor")
    yield _text(middle, _BOTTOM - 26, f"eth0 {address}", anchor="middle", mono=True)
    yield _line(middle, _BOTTOM - 16, middle, _BOTTOM, "currentColor")


OF_THE_SPEC = {**sandbox_figures.FIGURES}
OF_CAPTURES = {"cluster.svg": cluster_map, **pod_figures.FIGURES, **service_figures.FIGURES}
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
