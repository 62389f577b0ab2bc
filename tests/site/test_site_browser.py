"""The site in a real browser, opened from its folder: accessible, complete, silent, usable by keyboard.

Every test also asserts, by the `view` fixture, that the browser reported no
error and asked no other place for anything.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from site_view import ROOT, SAMPLE, WAIT, Opener

from lab.site.sources import load

SCHEMES = {"light": "default", "dark": "slate"}
WIDTHS = [320, 768, 1440]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COMMANDS = "seq 2\nfor word in one two\ndo echo $word; echo\ndone\nip -4 addr show eth0"


def _pages() -> list[str]:
    pages = [path.relative_to(ROOT / "docs") for path in sorted((ROOT / "docs").rglob("*.md"))]
    assert pages
    return [page.with_suffix(".html").as_posix() for page in pages] + ["sample-page.html"]


PAGES = _pages()
NOTEBOOKS = [f"notebooks/{chapter.name}.html" for chapter in load(ROOT / "docs").chapters]


def _faults(page: Page) -> list[str]:
    """What axe finds on the page as it stands now."""
    # Without preload axe fetches no style sheets of its own, which a page in a folder may not.
    results = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"], "preload": False})
    assert results.response["passes"], "axe looked at nothing"
    return [
        f"{fault['id']}: {node['target']}: {node.get('failureSummary', '')}"
        for fault in results.response["violations"]
        for node in fault["nodes"]
    ]


def _settle(page: Page, scheme: str, width: int) -> None:
    """Show the page in this scheme at this width, without waiting for colours that change slowly."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", SCHEMES[scheme], timeout=WAIT)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _faults_at(page: Page, places: Iterable[tuple[int, str]]) -> dict[tuple[int, str], list[str]]:
    """The faults of a page with every fold-out open, by width and scheme; also a page that scrolls sideways."""
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; animation: none !important }")
    page.evaluate("document.querySelectorAll('.md-content details').forEach(each => each.open = true)")
    faults = {}
    for width, scheme in places:
        _settle(page, scheme, width)
        faults[width, scheme] = _faults(page)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults[width, scheme].append("the page scrolls sideways")
    assert faults, "nothing was looked at"
    return {where: found for where, found in faults.items() if found}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(view: Opener, name: str) -> None:
    """Nobody is shut out, in no scheme, at no width; with every fold-out open too. The page never scrolls sideways."""
    assert _faults_at(view(name).page, itertools.product(WIDTHS, SCHEMES)) == {}


# Notebooks are made alike, of the same blocks as the chapters. All six looks at each take three minutes on one core,
# so each is looked at once at each width, in the schemes in turn: three looks, and each look has half of them.
@pytest.mark.parametrize(("number", "name"), list(enumerate(NOTEBOOKS)), ids=NOTEBOOKS)
def test_axe_finds_nothing_in_a_notebook(view: Opener, number: int, name: str) -> None:
    """As on the page of its chapter."""
    turns = itertools.islice(itertools.cycle(SCHEMES), number % 2, None)
    assert _faults_at(view(name).page, zip(WIDTHS, turns, strict=False)) == {}


def test_every_link_leads_somewhere(view: Opener, site: Path) -> None:
    """As the browser resolves it, from page to page and from place to place, scripts having done their work."""
    page = view("index.html").page
    links: set[tuple[str, str]] = set()
    places: dict[str, set[str]] = {}
    for name in (*PAGES, *NOTEBOOKS):
        page.goto((site / name).as_uri(), wait_until="load")
        places[name] = set(page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)"))
        found = page.evaluate("[...document.querySelectorAll('a[href]')].map(each => each.href)")
        links |= {(name, link) for link in found if link.startswith(site.as_uri())}
    assert len(links) > 1000
    planted = {("index.html", f"{site.as_uri()}/{place}") for place in ("nowhere.html", "pod-to-pod.html#nowhere")}
    faults = set()
    for name, link in links | planted:
        path, _, anchor = unquote(link).removeprefix(f"{site.as_uri()}/").partition("#")
        if not (site / path).is_file() or (anchor and path in places and anchor not in places[path]):
            faults.add((name, link))
    assert faults == planted


def test_a_fault_of_one_scheme_is_seen(view: Opener) -> None:
    """Words that are too dark in the dark scheme only: the same page shows them after the light one."""
    page = view("sample-page.html").page
    page.add_style_tag(content="[data-md-color-scheme=slate] .md-typeset p { color: #2e303e !important }")
    _settle(page, "light", 320)
    assert _faults(page) == []
    _settle(page, "dark", 320)
    assert any(fault.startswith("color-contrast") for fault in _faults(page))


@pytest.mark.parametrize("width", [768, 1440])
def test_seventy_two_columns_fit(view: Opener, width: int) -> None:
    """No code block of the sample page scrolls; its longest line has 72 columns."""
    page = view("sample-page.html", width=width).page
    blocks = page.locator(".md-content pre > code").evaluate_all(
        "all => all.filter(each => each.offsetParent).map(each => [each.clientWidth, each.scrollWidth])"
    )
    texts = page.locator(".md-content pre > code").all_inner_texts()
    assert max(len(line) for text in texts for line in text.splitlines()) == 72
    assert len(blocks) >= 4
    assert [block for block in blocks if block[1] > block[0]] == []


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_copy_takes_commands_only(view: Opener, key: str) -> None:
    """The button of a transcript, used by keyboard, copies neither prompts nor outputs."""
    page = view("sample-page.html").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".language-node-console button[data-md-type=copy]").first.focus()
    page.keyboard.press(key)
    page.get_by_text("Copied to clipboard").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").strip() == COMMANDS


def test_copy_takes_a_snippet_whole(view: Opener) -> None:
    """A block without prompts is copied as it stands."""
    page = view("sample-page.html").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".language-python button[data-md-type=copy]").first.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Copied to clipboard").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == 'out = node01.run("seq 2")\nassert out.lines == ["1", "2"]'


def test_prompts_are_not_selected_by_mouse(view: Opener) -> None:
    """Who selects a transcript by mouse gets no prompt into the clipboard."""
    page = view("sample-page.html").page
    styles = page.locator(".gp").evaluate_all("all => all.map(each => getComputedStyle(each).userSelect)")
    assert len(styles) >= 5
    assert set(styles) == {"none"}


def test_a_receipt_opens_by_keyboard(view: Opener) -> None:
    """A receipt is one line under its transcript, closed; Enter opens it to the whole."""
    page = view("sample-page.html").page
    receipt = page.locator("details.receipt").first
    body = receipt.locator(".receipt-body")
    assert receipt.locator("summary").inner_text().startswith("Printed by node01 and node01/pod2 on 2026-11-23")
    assert not body.is_visible()
    line = receipt.locator("summary").bounding_box()
    assert line is not None and line["height"] < 40
    receipt.locator("summary").focus()
    page.keyboard.press("Enter")
    body.wait_for(state="visible")
    assert "lab run sample_page/look" in body.inner_text()


def _ask(page: Page, word: str) -> None:
    """Type a word so that the search hears one key only: the first letters alone find other pages."""
    page.locator(".md-search__input").fill(word[:-1])
    page.keyboard.type(word[-1])


def _search(page: Page, word: str) -> list[str]:
    """Texts of the search results; waits until the index is loaded, and then until it has answered."""
    meta = page.locator(".md-search-result__meta")
    page.locator(".md-search__input").click()
    expect(meta).to_have_text("Type to start searching", timeout=WAIT)
    _ask(page, word)
    expect(meta).to_have_text(re.compile("document"), timeout=WAIT)
    return page.locator(".md-search-result__item").all_inner_texts()


def test_search_answers_from_a_folder(view: Opener) -> None:
    """The search works without a server, and Enter goes to what it found."""
    page = view("index.html").page
    results = _search(page, "seventy")
    assert any("Sample page" in result for result in results)
    assert _faults(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/sample-page.html*")


def test_search_knows_no_receipt(view: Opener, site: Path) -> None:
    """A digest stands in the receipt on the page, and the search does not find it."""
    digest = hashlib.sha256((SAMPLE / "look.out").read_bytes()).hexdigest()
    assert digest in (site / "sample-page.html").read_text(encoding="utf-8")
    assert _search(view("index.html").page, digest[:24]) == []


def test_the_first_tab_stop_skips_to_the_text(view: Opener) -> None:
    """A keyboard user need not walk through the header."""
    page = view("lab/index.html").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.md-skip')")
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash === '#run-the-lab'")


@pytest.mark.parametrize(
    ("name", "width"), [*itertools.product(PAGES, (320, 1440)), *itertools.product(NOTEBOOKS, (320,))]
)
def test_all_works_by_keyboard(view: Opener, name: str, width: int) -> None:
    """Tab reaches everything in the text that can be clicked or scrolled, and shows where it is."""
    page = view(name, width=width).page
    wanted = page.evaluate(
        """() => {
          const shown = each => each.checkVisibility({visibilityProperty: true})
            && each.getClientRects().length;
          const scrolls = each => each.scrollWidth > each.clientWidth + 1
            && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX);
          const all = [...document.querySelectorAll('.md-content *')].filter(each => shown(each)
            && !each.matches('.tabbed-labels *, .tabbed-button')
            && (each.matches('a[href], button, summary, .figure, pre > code') || scrolls(each)));
          return all.filter(each => !each.matches('.figure, pre > code') || scrolls(each))
            .map((each, number) => each.dataset.wanted = String(number));
        }"""
    )
    page.evaluate(
        """() => {
          window.reached = {};
          document.addEventListener('focusin', event => {
            const number = event.target.dataset.wanted;
            if (number) window.reached[number] = getComputedStyle(event.target).outlineStyle;
          });
        }"""
    )
    for presses in range(len(wanted) + 100):
        page.keyboard.press("Tab")
        if presses % 10 == 9 and len(page.evaluate("window.reached")) == len(wanted):
            break
    reached: dict[str, str] = page.evaluate("window.reached")
    assert [number for number, outline in reached.items() if outline == "none"] == []
    missed = sorted(set(wanted) - set(reached), key=int)
    assert [page.locator(f"[data-wanted='{number}']").evaluate("each => each.outerHTML") for number in missed] == []


def test_tabs_change_by_arrow_key(view: Opener) -> None:
    """The two views of a step are one stop for Tab; an arrow key changes those of the whole page, and of the next."""
    page = view("sample-page.html").page
    shown = page.locator(".tabbed-block:visible")
    steps = page.locator(".views").count()
    assert steps == 2 and shown.count() == steps + 1, "the page has a set of tabs of its own"
    assert all("assert" in text or "print" in text for text in shown.all_inner_texts())
    page.locator(".views > input").first.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".shell").first.wait_for(state="visible")
    texts = shown.all_inner_texts()
    assert len(texts) == steps + 1
    assert all("seq 2" in text or "echo one" in text for text in texts)
    page.goto(page.url.replace("sample-page.html", "pod-to-pod.html"))
    assert page.locator(".shell:visible").count() == page.locator(".views").count() > 5
    page.locator(".views > input:checked").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".shell:visible")).to_have_count(0)


def test_tab_reaches_the_views(view: Opener) -> None:
    """One stop for each step, with the mark of where the keyboard is."""
    page = view("sample-page.html").page
    label = "document.querySelector(`label[for=${document.activeElement.id}]`)"
    names = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.views > input')"):
            names.append(page.evaluate("document.activeElement.name"))
            assert page.evaluate(f"getComputedStyle({label}).outlineStyle") == "solid"
    assert len(names) == len(set(names)) == 2
    assert page.locator(".views label").evaluate_all(
        "all => all.filter(each => getComputedStyle(each).outlineStyle != 'none').length"
    ) == int(page.evaluate("document.activeElement.matches('.views > input')"))


@pytest.mark.parametrize("how", ["Enter", "click"])
def test_copy_takes_the_commands_of_a_place(view: Opener, how: str) -> None:
    """In the shell view, by keyboard and by mouse: what is typed there, line for line."""
    page = view("sample-page.html").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".views label", has_text="Shell").first.click()
    shell = page.locator(".shell").first
    shell.wait_for(state="visible")
    assert shell.locator("> p:not(.said)").all_inner_texts() == [
        "first, in the checkout",
        "lab ssh node01",
        "lab kubectl -- exec -it pod2 -- sh",
    ]
    button = shell.locator("button[data-md-type=copy]").nth(1)
    if how == "click":
        button.click()
    else:
        button.focus()
        page.keyboard.press(how)
    page.get_by_text("Copied to clipboard").wait_for()
    assert (
        page.evaluate("navigator.clipboard.readText()").strip()
        == "seq 2\nfor word in one two\ndo echo $word; echo\ndone"
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_in_the_shell_views(view: Opener, scheme: str, width: int) -> None:
    """The second view of every step shuts nobody out either, and does not widen the page."""
    page = view("pod-to-pod.html", scheme=scheme, width=width).page
    page.locator(".views label", has_text="Shell").first.click()
    assert page.locator(".shell:visible").count() > 5
    assert _faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_colours_follow_the_system_until_told_otherwise(view: Opener) -> None:
    """The button goes through light and dark, and the choice holds on the next page."""
    page = view("index.html", scheme="dark").page
    body = page.locator("body")
    assert body.get_attribute("data-md-color-scheme") == "slate"
    page.get_by_title("Colours follow the system. Switch to light").click()
    assert body.get_attribute("data-md-color-scheme") == "default"
    page.goto(page.url.replace("index.html", "lab/index.html"))
    assert page.locator("body").get_attribute("data-md-color-scheme") == "default"


def test_the_map_is_told_to_who_cannot_see_it(view: Opener) -> None:
    """The map of the cluster is a picture with a name and a description."""
    page = view("index.html").page
    picture = page.get_by_role("img", name="Map of the cluster")
    assert picture.is_visible()
    assert "node01" in (picture.locator("desc").text_content() or "")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [320, 1440])
def test_a_chapter_folds_the_map_out(view: Opener, scheme: str, width: int) -> None:
    """By keyboard, also where it is wider than the screen: then it can be moved by keyboard as well."""
    page = view("cluster-ip.html", scheme=scheme, width=width).page
    picture = page.get_by_role("img", name="Map of the cluster")
    assert not picture.is_visible()
    page.get_by_text("Map of the cluster: names and addresses").focus()
    page.keyboard.press("Enter")
    picture.wait_for(state="visible")
    figure = page.locator("details.map .figure")
    wider = figure.evaluate("figure => figure.scrollWidth > figure.clientWidth")
    assert wider == (width == 320)
    assert figure.get_attribute("tabindex") == ("0" if wider else None)
    assert _faults(page) == []


def test_the_error_page_leads_back(view: Opener, served: str) -> None:
    """The page for a wrong address, which only a server shows, is as sound as the others, and offers the first page."""
    page = view("404.html", base=served).page
    assert page.locator("h1").inner_text() == "This page is not in the book"
    assert _faults_at(page, itertools.product(WIDTHS, SCHEMES)) == {}
    page.get_by_role("link", name="The first page").click()
    page.wait_for_url("**/index.html")


@pytest.mark.parametrize("depth", ["nowhere", "a/b/c/nowhere.html"])
def test_the_error_page_works_at_any_depth(view: Opener, served: str, site: Path, depth: str) -> None:
    """A server shows it in place of whatever is missing: its styles, its links and its search are found from there."""
    page = view("index.html", base=served).page
    error = (site / "404.html").read_text(encoding="utf-8")
    # With the right status the browser would report an error, and be right.
    page.route("**/nowhere*", lambda route: route.fulfill(body=error, content_type="text/html"))
    page.goto(f"{served}/{depth}")
    assert page.locator(".md-header").evaluate("each => getComputedStyle(each).position") == "sticky"
    page.get_by_role("button", name="Search the book").press("Enter")
    _answers_and_leads(page, f"{served}/sample-page.html")


def test_the_error_page_works_from_a_folder(view: Opener, site: Path) -> None:
    """Who opens it from a disk finds the way, too."""
    page = view("404.html").page
    assert _faults(page) == []
    page.get_by_role("button", name="Search the book").click()
    _answers_and_leads(page, f"{site.as_uri()}/sample-page.html")


def _answers_and_leads(page: Page, place: str) -> None:
    """The search is open, finds the sample page, and Enter leads there."""
    meta = page.locator(".md-search-result__meta")
    expect(meta).to_have_text("Type to start searching", timeout=WAIT)
    expect(page.locator(".md-search__input")).to_be_focused()
    _ask(page, "seventy")
    # Enter goes to what is shown, so wait for that.
    found = page.locator(".md-search-result__item a").first
    expect(found).to_have_attribute("href", re.compile("sample-page"), timeout=WAIT)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{place}*")


def test_a_server_gives_the_same_site(view: Opener, served: str) -> None:
    """From a server the search works too."""
    page = view("lab/index.html", base=served).page
    assert any("Sample page" in result for result in _search(page, "seventy"))


CUT = """() => [...document.querySelectorAll('.md-content *')].filter(each => each.getClientRects().length
    && each.scrollWidth > each.clientWidth + 1 && each.clientWidth
    && getComputedStyle(each).overflowX != 'visible').map(each => each.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["pod-to-pod.html", "sample-page.html", "status.html", "sources/stackrox.html"])
def test_a_page_prints_whole(view: Opener, name: str, scheme: str) -> None:
    """As wide as a sheet between its margins: dark on white, nothing cut, nothing folded, each receipt one line."""
    page = view(name, scheme=scheme, width=680).page
    folded = page.locator(".md-content details:not([open])").count()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("document.body.dataset.mdColorScheme == 'default'")
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    color = "getComputedStyle(document.querySelector('.md-typeset')).color.match(/[0-9]+/g)"
    assert max(map(int, page.evaluate(color))) < 80
    assert page.locator(".md-content details:not(.receipt, [open])").count() == 0
    assert page.locator(".receipt-body:visible").count() == 0
    assert page.locator(".md-content :is(.md-code__nav, .views > .tabbed-labels):visible").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    page.wait_for_function(f"document.body.dataset.mdColorScheme == '{SCHEMES[scheme]}'")
    assert page.locator(".md-content details:not([open])").count() == folded


def test_paper_has_the_chosen_view(view: Opener) -> None:
    """Who reads a step in shell gets it so on paper; tabs of another kind are printed all."""
    page = view("sample-page.html").page
    page.emulate_media(media="print")
    steps = page.locator(".views").count()
    assert page.locator(".views .tabbed-block:visible").count() == steps
    assert page.locator(".shell:visible").count() == 0
    assert page.locator(".tabbed-set:not(.views) .tabbed-block:visible").count() == 2
    page.emulate_media(media="screen")
    page.locator(".views label", has_text="Shell").first.click()
    page.emulate_media(media="print")
    assert page.locator(".shell:visible").count() == page.locator(".views .tabbed-block:visible").count() == steps
