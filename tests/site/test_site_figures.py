"""The figures in a real browser: no word lies over another, over a line, or over the edge of its box."""

import pytest
from playwright.sync_api import Browser, Page
from site_view import ROOT, WAIT, Opener

# What is measured here is in the figure's own units, so that a page's width does not matter.
MEASURE = """
svg => {
  const box = each => each.getBBox();
  const inside = (a, b) => a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width
    && a.y + a.height <= b.y + b.height;
  const apart = (a, b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y
    || b.y + b.height <= a.y;
  // A line of text is higher than its letters.
  const letters = each => { const {x, y, width, height} = box(each); return {x, y: y + 3, width, height: height - 6}; };
  const all = [...svg.querySelectorAll('text, rect, line')];
  // A number in a circle lies on its line on purpose.
  const texts = all.filter(each => each.matches('text') && !each.previousElementSibling?.matches('circle'));
  const rects = all.filter(each => each.matches('rect'));
  const faults = [];
  texts.forEach((text, number) => {
    const own = letters(text), says = text.textContent;
    if (!inside(own, svg.viewBox.baseVal)) faults.push(`${says}: over the edge of the figure`);
    for (const other of texts.slice(number + 1))
      if (!apart(own, letters(other))) faults.push(`${says}: over ${other.textContent}`);
    for (const rect of rects)
      if (!apart(own, box(rect)) && !inside(own, box(rect))) faults.push(`${says}: over the edge of a box`);
    for (const line of all.filter(each => each.matches('line'))) {
      // A box that is drawn later hides the line.
      const hides = rect => line.compareDocumentPosition(rect) & 4 && inside(own, box(rect));
      if (!apart(own, box(line)) && !rects.some(hides)) faults.push(`${says}: over a line`);
    }
  });
  return {texts: texts.length, faults};
}
"""
PAGES = sorted(
    path.stem for path in (ROOT / "docs").glob("*.md") if 'class="figure"' in path.read_text(encoding="utf-8")
)


def _measured(page: Page) -> tuple[int, list[str]]:
    found = page.locator(".figure svg").evaluate_all(f"all => all.map({MEASURE})")
    return sum(each["texts"] for each in found), [fault for each in found for fault in each["faults"]]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_lies_over_a_word(view: Opener, name: str) -> None:
    """Every word of every figure on the page can be read, the folded map's too."""
    page = view(f"{name}.html").page
    page.evaluate("document.querySelectorAll('details.map').forEach(each => each.open = true)")
    texts, faults = _measured(page)
    assert texts > 10
    assert faults == []


FAULTS = {
    "two words": ('<text x="10" y="20">one</text><text x="14" y="22">two</text>', "one: over two"),
    "the edge of the figure": ('<text x="90" y="20">a long one</text>', "a long one: over the edge of the figure"),
    "the edge of a box": (
        '<rect x="5" y="5" width="20" height="20"/><text x="10" y="20">a long one</text>',
        "a long one: over the edge of a box",
    ),
    "a line": ('<line x1="0" y1="16" x2="90" y2="16"/><text x="10" y="20">one</text>', "one: over a line"),
    "nothing": ('<line x1="0" y1="30" x2="90" y2="30"/><text x="10" y="20">one</text>', None),
}


@pytest.mark.parametrize(("parts", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_seen(browser: Browser, parts: str, fault: str | None) -> None:
    """Each kind of overlap is named, and nothing else."""
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    page.set_content(f'<div class="figure"><svg viewBox="0 0 110 40" width="110">{parts}</svg></div>')
    assert _measured(page)[1] == ([fault] if fault else [])
    page.close()
