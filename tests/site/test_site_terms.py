"""The tooltips of the terms, in a real browser: by keyboard, by pointer, on small screens, for everybody."""

import pytest
from playwright.sync_api import Page, expect
from site_view import ROOT, Opener
from test_site_browser import SCHEMES, _faults

from lab.site import glossary

PAGE = "pod-to-pod.html"
TERMS = {term.id: term for term in glossary.load(ROOT / "docs")}


def _tab_to_a_term(page: Page) -> str:
    """Press Tab until a term has the focus; its id."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('a.term')"):
            return str(page.evaluate("document.activeElement.hash.slice(1)"))
    raise AssertionError("no term within 60 stops")


def test_a_tooltip_is_reached_by_keyboard(view: Opener) -> None:
    """Tab shows it and names it to a screen reader; Escape takes it away and leaves the focus; Enter explains more."""
    page = view(PAGE).page
    term = _tab_to_a_term(page)
    tip = page.get_by_role("tooltip")
    expect(tip).to_have_text(TERMS[term].text)
    described = page.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby'))?.textContent"
    )
    assert described == TERMS[term].text
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)
    assert page.evaluate("document.activeElement.hash.slice(1)") == term
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") is None
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/glossary.html#{term}")
    assert TERMS[term].text in page.locator("article").inner_text()


def test_a_tooltip_goes_with_the_focus(view: Opener) -> None:
    """The next stop, a term or not, has its own or none."""
    page = view(PAGE).page
    _tab_to_a_term(page)
    expect(page.get_by_role("tooltip")).to_be_visible()
    page.locator(".md-content a:not(.term):visible").first.focus()
    expect(page.get_by_role("tooltip")).to_have_count(0)


def test_a_tooltip_can_be_pointed_at(view: Opener) -> None:
    """The pointer can go onto it, and it stays; it goes when the pointer leaves, or on Escape."""
    page = view(PAGE).page
    link, tip = page.locator("a.term[href$='#tunnel']"), page.get_by_role("tooltip")
    link.hover()
    expect(tip).to_have_text(TERMS["tunnel"].text)
    tip.hover()
    page.wait_for_timeout(600)  # more than a tooltip waits for the pointer
    expect(tip).to_be_visible()
    page.mouse.move(2, 2)
    expect(tip).to_have_count(0)
    link.hover()
    expect(tip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1440])
def test_every_tooltip_fits_on_the_screen(view: Opener, width: int) -> None:
    """None is cut off at an edge, none covers its term, and the page does not get wider."""
    page = view(PAGE, width=width).page
    links = page.locator("a.term")
    assert links.count() > 10
    for number in range(links.count()):
        links.nth(number).focus()
        tip, term = page.get_by_role("tooltip").bounding_box(), links.nth(number).bounding_box()
        assert tip is not None and term is not None
        assert tip["x"] >= 0 and tip["x"] + tip["width"] <= width
        assert tip["y"] >= 0 and tip["y"] + tip["height"] <= 900
        assert tip["y"] >= term["y"] + term["height"] - 1 or tip["y"] + tip["height"] <= term["y"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 1440])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_beside_a_tooltip(view: Opener, scheme: str, width: int) -> None:
    """Nobody is shut out while one is shown."""
    page = view(PAGE, scheme=scheme, width=width).page
    page.locator("a.term").nth(3).focus()
    expect(page.get_by_role("tooltip")).to_be_visible()
    assert _faults(page) == []
