"""The fold-out map of each chapter: who has which name and address in the scenarios of its snippets."""

import json
from hashlib import sha1
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from lab.notebook import Chapter, chapters
from lab.paths import SNIPPETS
from lab.site.chapter_map import chapter_map
from lab.site.facts import Facts
from lab.spec import load_spec

ROOT = Path(__file__).parents[2]
CHAPTERS = chapters(ROOT)
FACTS = Facts(load_spec(), SNIPPETS)


def _rows(html: str) -> dict[str, list[list[str]]]:
    """The rows of each table of a map, by the table's caption."""
    tables = BeautifulSoup(html, "html.parser").select("details.map table")
    return {
        table.select_one("caption").get_text(): [  # type: ignore[union-attr]
            [cell.get_text() for cell in row.select("td")] for row in table.select("tbody tr")
        ]
        for table in tables
    }


def _map(name: str) -> dict[str, list[list[str]]]:
    (chapter,) = [each for each in CHAPTERS if each.name == name]
    return _rows(chapter_map(FACTS, chapter))


def test_pods_with_node_address_and_device() -> None:
    """As the scenario has them; the device is the one that the cluster printed."""
    rows = _map("pod_to_pod")["Pods of this chapter"]
    assert rows == [
        ["pod1", "node01", "172.16.196.147", "cali" + sha1(b"default.pod1").hexdigest()[:11], "pods"],
        ["pod2", "node01", "172.16.196.148", "calibd2348b4f67", "pods"],
        ["pod3", "node02", "172.16.140.70", "cali" + sha1(b"default.pod3").hexdigest()[:11], "pods"],
    ]
    printed = (SNIPPETS / "pod_to_pod/the_brief_line.out").read_text("utf-8")
    assert f"{rows[1][2]} dev {rows[1][3]} " in printed


def test_services_with_address_and_ports() -> None:
    """What two scenarios make differently is told apart by their names; what they make alike stands once."""
    rows = _map("proxy_modes")
    assert ["web", "10.96.0.80", "80", "30080", "node_port"] in rows["Services of this chapter"]
    assert ["web", "10.96.0.80", "80", "none", "web"] in rows["Services of this chapter"]
    assert [row[0] for row in rows["Pods of this chapter"]] == ["client", "web-0", "web-1", "web-2"]
    assert {row[4] for row in rows["Pods of this chapter"]} == {"node_port, web"}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
def test_a_chapter_shows_its_own_scenarios(built: Path, chapter: Chapter) -> None:
    """On its built page: every object of every scenario that one of its snippets needs, and no other."""
    page = (built / Path(chapter.page).name.replace(".md", ".html")).read_text(encoding="utf-8")
    shown = {(row[0], scenario) for rows in _rows(page).values() for row in rows for scenario in row[-1].split(", ")}
    needed = {snippet.scenario for snippet in chapter.snippets if snippet.scenario}
    assert shown == {
        (each.name, scenario) for scenario in needed for each in (*FACTS.pods(scenario), *FACTS.services(scenario))
    }
    assert bool(shown) == (chapter.name not in {"namespaces", "iptables"})


@pytest.mark.built
def test_the_search_finds_no_chapter_by_its_map(built: Path) -> None:
    """Else each chapter would be found by the name of each of its pods, whatever it says of them."""
    index = json.loads((built / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert len(index["docs"]) > 100
    assert [each["location"] for each in index["docs"] if "device on the node</th>" in each["text"]] == []
    assert [each["location"] for each in index["docs"] if "Pods of this chapter" in each["text"]] == []
