"""The HTML of a page without what neither a style nor a reader needs: a page of snippets is a third smaller."""

import re

# Names and blanks have the colour of the text around them.
_PLAIN = re.compile(r'<span class="[nw]">([^<]*)</span>')
_LINE = re.compile(r'<span id="__span-\d+-\d+">((?:(?!<span id="__span-).)*?\n)</span>', re.DOTALL)
_FENCE = re.compile(r'(<div class="language-[^"]*highlight">.*?</pre></div>)', re.DOTALL)
_TRANSCRIPT = "language-node-console "
# Lines of output, one after the other: one element with its line ends inside, since copying leaves them out as well.
# A line end right behind a command is the command's.
_OUTPUT = re.compile(r'(?:(?<=\n)|(?<=<code>))(?:<span class="go">[^<]*</span>\n|\n)+')
# What a figure needs as a file of its own: the style sheet of a page has all colours and fonts.
_FIGURE = re.compile(r'<svg [^>]*role="img".*?</svg>', re.DOTALL)
_ALONE = re.compile(r' xmlns="[^"]+"|(?<=var\(--)([\w-]+),[^)]+(?=\))')
# What most words and most boxes of a figure look like, by the class that the style sheet gives the same.
_LOOKS = {
    ' style="font-family:var(--md-code-font-family)"': ' class="mono"',
    ' style="fill:var(--figure-paper);stroke:currentColor"': ' class="box"',
}
_BLANK = re.compile(r"<(pre|code|script|style|textarea)\b.*?</\1>|\s*\n\s*", re.DOTALL)


def slim(html: str) -> str:
    """The HTML of a page's text that looks the same, with less in its code blocks and figures."""
    figures = _FIGURE.sub(lambda figure: _slim_figure(figure[0]), html)
    return _FENCE.sub(lambda block: _slim_block(block[0]), figures)


def _slim_figure(figure: str) -> str:
    found = _ALONE.sub(r"\1", figure)
    for style, name in _LOOKS.items():
        found = found.replace(style, name)
    return found


def _slim_block(block: str) -> str:
    lines = _LINE.sub(r"\1", block.replace("<pre><span></span>", "<pre>"))
    if _TRANSCRIPT not in block:
        return _PLAIN.sub(r"\1", lines)
    return _OUTPUT.sub(_joined, lines)


def _joined(lines: re.Match[str]) -> str:
    text = lines[0].replace('<span class="go">', "").replace("</span>", "")
    return f'<span class="go">{text}</span>'


def tighten(html: str) -> str:
    """A whole page without the indentation and the empty lines of its templates."""
    return _BLANK.sub(lambda found: found[0] if found[1] else "\n", html)
