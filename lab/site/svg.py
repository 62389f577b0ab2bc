"""The strokes that the book's figures are drawn with; colours and fonts are the page's."""

from functools import partial
from html import escape as escape_html

escape = partial(escape_html, quote=False)

ACCENT = "var(--figure-accent, #0b6b6f)"
PAPER = "var(--figure-paper, #ffffff)"
_MONO = "var(--md-code-font-family, monospace)"


def rect(x: int, y: int, width: int, height: int, fill: str, stroke: str, *, opacity: float = 1) -> str:
    """A box with round corners."""
    faint = f";fill-opacity:{opacity:g}" if opacity < 1 else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" stroke-opacity="0.55"'
        f' style="fill:{fill}{faint};stroke:{stroke}"/>'
    )


def line(x1: int, y1: int, x2: int, y2: int, stroke: str, *, dash: str = "") -> str:
    """A straight line."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke-width="2"{dashes} style="stroke:{stroke}"/>'


def text(
    x: int,
    y: int,
    words: str,
    *,
    anchor: str = "start",
    size: int = 14,
    bold: bool = False,
    dim: bool = False,
    mono: bool = False,
) -> str:
    """One line of text; `y` is its base line."""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    weight = ' font-weight="600"' if bold else ""
    opacity = ' fill-opacity="0.75"' if dim else ""
    family = f' style="font-family:{_MONO}"' if mono else ""
    return f'<text x="{x}" y="{y}" font-size="{size}"{place}{weight}{opacity}{family}>{escape(words)}</text>'
