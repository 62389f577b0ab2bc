"""Pages in as few bytes as they need.

Highlighted code without the elements that no style needs is a third smaller, and a page's frame is mostly
blanks: the theme's templates are indented deeply.
"""

import re

# Names and blanks have the colour of the text around them.
_PLAIN = re.compile(r'<span class="[nw]">([^<]*)</span>')
# In a transcript the style sheet needs lines, to leave outputs out when commands are copied; nowhere else.
_LINE = re.compile(r'<span id="__span-\d+-\d+">((?:(?!<span id="__span-).)*?\n)</span>', re.DOTALL)
_FENCE = re.compile(r'(<div class="(?!language-node-console)language-[^"]*highlight">.*?</pre></div>)', re.DOTALL)


def slim(html: str) -> str:
    """The HTML of a page that looks the same, with less in its code blocks."""
    return _FENCE.sub(lambda block: _LINE.sub(r"\1", _PLAIN.sub(r"\1", block[0])), html)


# What a reader sees with its blanks, or a browser reads as a program.
_KEPT = re.compile(r"(<(pre|code|textarea|script|style)\b.*?</\2>)", re.DOTALL)
_BLANKS = re.compile(r"\s*\n\s*")


def unindent(page: str) -> str:
    """The HTML of a whole page without indentation and empty lines, where nobody sees them."""
    # Every match gives three parts: the text before it, all of it, and the element's name.
    parts = _KEPT.split(page)
    return "".join(
        part if place % 3 == 1 else _BLANKS.sub("\n", part) for place, part in enumerate(parts) if place % 3 != 2
    )
