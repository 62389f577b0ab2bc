"""Code blocks lose what no style needs, and nothing else."""

from pathlib import Path

from bs4 import BeautifulSoup

from lab.site.slim import slim, tighten
from lab.site.svg import box, figure

ROOT = Path(__file__).parents[2]

CODE = (
    '<div class="language-python highlight"><pre><span></span><code><span id="__span-0-1"><span class="n">a</span>'
    '<span class="w"> </span><span class="o">=</span><span class="w"> </span><span class="s2">"&lt;b&gt;"</span>\n'
    '</span><span id="__span-0-2">\n</span><span id="__span-0-3"><span class="n">c</span>\n</span></code></pre></div>'
)
TRANSCRIPT = (
    '<div class="language-node-console highlight"><pre><span></span><code><span id="__span-1-1"><span class="gp">a$ '
    '</span><span class="gs">ip a</span>\n</span><span id="__span-1-2"><span class="go">1: lo</span>\n</span></code>'
    "</pre></div>"
)


def test_names_blanks_and_lines_go() -> None:
    """The rest of the colours stay, and the text is the same."""
    page = f"<p>{CODE}</p>"
    made = slim(page)
    assert BeautifulSoup(made, "html.parser").get_text() == BeautifulSoup(page, "html.parser").get_text()
    assert '<span class="n">' not in made and '<span class="w">' not in made and "__span-" not in made
    assert '<span class="o">=</span> <span class="s2">"&lt;b&gt;"</span>' in made
    assert made.count("<span") == made.count("</span>")


def test_outputs_of_a_transcript_are_one_element() -> None:
    """Prompts and commands stay as they are; what copying leaves out has its line ends inside."""
    more = TRANSCRIPT.replace(
        '<span id="__span-1-2">',
        '<span id="__span-1-3">\n</span><span id="__span-1-4"><span class="go">x</span>\n</span>'
        '<span id="__span-1-5"><span class="gp">&gt; </span>\n</span><span id="__span-1-2">',
    )
    made = slim(CODE + more)
    assert BeautifulSoup(made, "html.parser").get_text() == BeautifulSoup(CODE + more, "html.parser").get_text()
    assert made.endswith(
        '<pre><code><span class="gp">a$ </span><span class="gs">ip a</span>\n<span class="go">\nx\n</span>'
        '<span class="gp">&gt; </span>\n<span class="go">1: lo\n</span></code></pre></div>'
    )


def test_an_output_without_a_command_too() -> None:
    """A transcript may begin with an output."""
    text = '<div class="language-node-console highlight"><pre><code><span class="go">x</span>\n</code></pre></div>'
    assert slim(text) == text.replace("</span>\n", "\n</span>")


def test_a_page_loses_the_blanks_of_its_templates() -> None:
    """Not those that a reader sees: in code, and between words."""
    page = "<p>\n    a\n\n    b </p>\n<pre><code>x\n  y\n</code></pre>\n  <code>a\n  b</code>\n\n<i>c</i>\n"
    assert tighten(page) == "<p>\na\nb </p>\n<pre><code>x\n  y\n</code></pre>\n<code>a\n  b</code>\n<i>c</i>\n"


def test_what_is_no_code_stays() -> None:
    """An icon or a word in the text that happens to have such a class."""
    text = '<p><span class="n">a</span></p>'
    assert slim(text + CODE).startswith(text)


def test_a_figure_takes_its_colours_from_the_page() -> None:
    """Without the colours for a file of its own, which are the longer part of every stroke; an icon is no figure."""
    stroke = '<rect x="1" style="fill:var(--figure-accent{});fill-opacity:0.1"/></svg>'
    made = slim('<svg role="img" viewBox="0 0 9 9" xmlns="http://x">' + stroke.format(", #fff"))
    assert made == '<svg role="img" viewBox="0 0 9 9">' + stroke.format("")
    icon = '<svg xmlns="http://x"><path d="M0"/></svg>'
    assert slim(icon) == icon


def test_the_style_sheet_has_the_looks_of_figures() -> None:
    """Words in the font of code, and boxes: a class each, which stands for the same as the style of the file."""
    drawn = box(0, 0, 9, 9, "a", mono=True)
    made = slim(figure("f", 9, 9, "F", "A figure.", drawn))
    assert '<rect x="0" y="0" width="9" height="9" rx="7" stroke-opacity="0.55" class="box"/>' in made
    assert 'class="mono">a</text>' in made
    sheet = (ROOT / "docs" / "assets" / "css" / "book.css").read_text(encoding="utf-8")
    assert ".figure .mono { font-family: var(--md-code-font-family); }" in sheet
    assert ".figure .box { fill: var(--figure-paper); stroke: currentColor; }" in sheet
