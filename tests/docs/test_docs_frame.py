"""What stands around every page: which lab printed it, where to edit it, what others show of it, the error page."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from lab.receipt import Receipt
from lab.site import card, edition
from lab.site.checks import Tree
from lab.site.links import Site
from lab.site.sources import load
from lab.spec import load_spec

ROOT = Path(__file__).parents[2]


def _html(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def _meta(page: BeautifulSoup) -> dict[str, str]:
    found = page.select("meta[property^='og:'], meta[name^='twitter:']")
    return {str(each.get("property") or each.get("name")): str(each["content"]) for each in found}


def _receipt(**versions: str) -> Receipt:
    return Receipt("a/b", "2026-11-28T00:00:00Z", "uml", None, None, versions, "", {}, "")


def test_versions_are_told_once() -> None:
    """What all receipts agree on is one version, whichever of them has it."""
    receipts = [_receipt(kubernetes="v1", linux="7.3.4", bird="2"), _receipt(linux="7.3.4"), _receipt(calico="v3")]
    assert edition.lab_in_words(receipts) == "Kubernetes v1, Calico v3, Linux 7.3.4"


def test_a_difference_is_told() -> None:
    """A book that two kernels printed says so."""
    assert edition.lab_in_words([_receipt(linux="7.3.4"), _receipt(linux="7.3.1")]) == "Linux 7.3.1 and 7.3.4"
    assert edition.lab_in_words([]) == ""


def test_every_page_says_which_lab_printed_it(built: Path) -> None:
    """At its foot: the versions of the receipts, which are those that cluster.yaml pins."""
    pins = load_spec().versions
    kernels = {kept.versions["linux"] for _, kept in edition.captures() if "linux" in kept.versions}
    assert kernels
    pages = sorted(built.rglob("*.html"))
    assert pages
    for path in pages:
        foot = _html(path).select_one("footer .md-copyright")
        assert foot is not None
        text = foot.get_text(" ", strip=True)
        assert f"Kubernetes {pins.kubernetes}, Calico {pins.calico}, Linux" in text
        assert all(kernel in text for kernel in kernels)


def test_a_page_names_its_file(built: Path, tree: Tree) -> None:
    """Without a public address there is no link, but who has the checkout finds the page."""
    for page in tree.pages:
        html = _html(built / page.removeprefix("docs/").replace(".md", ".html"))
        assert [line.select_one("code").get_text() for line in html.select(".source-file")] == [page]  # type: ignore[union-attr]
        assert not html.select("[rel=edit]")


def test_a_published_page_can_be_edited(published: Path, tree: Tree) -> None:
    """One setting, the repository's address, makes the link of every page."""
    for page in tree.pages:
        html = _html(published / page.removeprefix("docs/").replace(".md", ".html"))
        links = [(link["href"], link.get_text()) for link in html.select("[rel=edit]")]
        assert links == [(f"https://example.org/living/book/edit/main/{page}", "Edit this page")]


def test_a_published_site_asks_nobody(published: Path) -> None:
    """Its links hold as well, and the repository's figures are not fetched from another host."""
    assert Site(published).check().faults == []
    assert [path for path in published.rglob("*.html") if _html(path).select("[data-md-component=source]")] == []


def test_every_page_has_a_card(built: Path, tree: Tree) -> None:
    """Title, description and picture of its own for whoever shows a link to it."""
    seen = set()
    for page in tree.pages:
        path = built / page.removeprefix("docs/").replace(".md", ".html")
        html = _html(path)
        found = _meta(html)
        described = html.select_one("meta[name=description]")
        heading = html.select_one("title")
        assert described is not None and found["og:description"] == described["content"]
        assert heading is not None and heading.get_text().startswith(found["og:title"])
        assert found["twitter:card"] == "summary_large_image" and found["og:image:alt"]
        assert (path.parent / found["og:image"]).resolve() == (built / "assets" / "card.png").resolve()
        seen.add((found["og:title"], found["og:description"]))
    assert len(seen) == len(tree.pages)


def test_a_published_card_has_whole_addresses(published: Path) -> None:
    """Whoever shows it fetches the picture from the site's own address."""
    found = _meta(_html(published / "lab" / "index.html"))
    assert found["og:image"] == "https://example.org/book/assets/card.png"
    assert found["og:url"] == "https://example.org/book/lab/index.html"
    assert found["og:type"] == "article"
    assert _meta(_html(published / "index.html"))["og:type"] == "website"
    assert (published / "assets" / "card.png").is_file()


def test_the_picture_is_of_the_drawing(built: Path) -> None:
    """The file says which drawing it shows: today's; else: python -m lab.site.card."""
    assert card.shows((built / "assets" / "card.png").read_bytes(), card.draw())


def test_another_drawing_is_told_apart() -> None:
    """A node of another name, another output, or another size would be noticed."""
    png, drawing = card.FILE.read_bytes(), card.draw()
    assert not card.shows(png, drawing.replace("node01", "node09"))
    assert not card.shows(png[:16] + bytes(8) + png[24:], drawing)
    assert not card.shows(b"", drawing)


def test_the_picture_shows_what_the_cluster_printed() -> None:
    """Names, addresses and output come from the description and from a capture."""
    drawing = card.draw()
    for node in load_spec().nodes:
        assert node.name in drawing and node.address in drawing
    assert all(line in drawing for line in card.CAPTURE.read_text("utf-8").splitlines()[:2])


@pytest.mark.built
@pytest.mark.parametrize(("site", "root"), [("built", "/"), ("published", "/book/")])
def test_the_error_page_leads_back_from_anywhere(site: str, root: str, request: pytest.FixtureRequest) -> None:
    """All its links are relative to the site's root, so a server may show it for an address of any depth."""
    folder: Path = request.getfixturevalue(site)
    page = _html(folder / "404.html")
    assert [base["href"] for base in page.select("base")] == [root]
    places = [
        str(each.get("href") or each.get("src")) for each in page.select("[href]:not(base, [rel~=alternate]), [src]")
    ]
    local = [place for place in places if not place.startswith("http")]
    assert len(local) > 30
    assert [place for place in local if not (folder / place).is_file()] == []
    settings = json.loads(page.select_one("#__config").get_text())  # type: ignore[union-attr]
    assert settings["base"] == root and settings["search"].startswith(root)
    assert [link.get_text() for link in page.select("article ol a")] == [
        each.title for each in load(ROOT / "docs").chapters
    ]
