"""The fold-out map of a chapter: the figure of the cluster, and who has which name and address in its scenarios."""

from collections.abc import Iterable, Sequence
from html import escape

from lab.notebook import Chapter
from lab.site.facts import Facts

FIGURE = "docs/assets/figures/cluster.svg"


def chapter_map(facts: Facts, chapter: Chapter) -> str:
    """The map as it stands folded below the opening of a chapter; a reader comes back to it while she reads outputs.

    It is HTML without an empty line, and includes the figure. The search does not look
    into it: every chapter would be found by every node's name.
    """
    scenarios = sorted({snippet.scenario for snippet in chapter.snippets if snippet.scenario})
    return "\n".join(
        [
            '<details class="map" markdown="0" data-search-exclude>',
            "<summary>Map of the cluster: names and addresses</summary>",
            '<figure class="figure">',
            f'--8<-- "{FIGURE}"',
            "</figure>",
            *_table(
                "Pods of this chapter",
                ("pod", "node", "address", "device on the node", "scenario"),
                [
                    ((pod.name, pod.node, pod.address, pod.device), scenario)
                    for scenario in scenarios
                    for pod in facts.pods(scenario)
                ],
            ),
            *_table(
                "Services of this chapter",
                ("Service", "ClusterIP", "port", "node port", "scenario"),
                [
                    ((service.name, service.address, str(service.port), str(service.node_port or "none")), scenario)
                    for scenario in scenarios
                    for service in facts.services(scenario)
                ],
            ),
            "</details>",
            "",
        ]
    )


def _table(caption: str, heads: Sequence[str], rows: Iterable[tuple[tuple[str, ...], str]]) -> list[str]:
    """A table of what scenarios make; what several of them make alike stands once. None without rows."""
    found: dict[tuple[str, ...], list[str]] = {}
    for cells, scenario in rows:
        found.setdefault(cells, []).append(scenario)
    if not found:
        return []
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (*cells, ", ".join(scenarios))) + "</tr>"
        for cells, scenarios in sorted(found.items())
    ]
    return [f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>", *body, "</tbody></table>"]
