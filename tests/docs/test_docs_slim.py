"""Code blocks lose what no style needs, and nothing else."""

from bs4 import BeautifulSoup

from lab.site.slim import slim, unindent

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


def test_transcripts_stay() -> None:
    """Their lines are what copying leaves out."""
    assert slim(CODE + TRANSCRIPT).endswith(TRANSCRIPT)


def test_what_is_no_code_stays() -> None:
    """An icon or a word in the text that happens to have such a class."""
    text = '<p><span class="n">a</span></p>'
    assert slim(text + CODE).startswith(text)


def test_indentation_goes_where_nobody_sees_it() -> None:
    """Blanks that end a line or begin one are gone; those of code, and of commands in a receipt, are not."""
    kept = "<pre><code>a\n\n    b</code></pre>", "<code>a \\\n  b</code>", "<script>\n\n  x()</script>"
    page = "<div>\n\n    <p>\n      one two\n    </p>\n" + "\n  ".join(kept) + "\n</div>\n"
    made = unindent(page)
    assert made.startswith("<div>\n<p>\none two\n</p>\n")
    assert [part for part in kept if part not in made] == []
    assert "\n " not in made.split("<pre>")[0]
