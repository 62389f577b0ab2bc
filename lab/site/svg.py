"""The strokes that the book's figures are drawn with; colours and fonts are the page's."""

from collections.abc import Iterable
from functools import partial
from html import escape as escape_html
from math import hypot

escape = partial(escape_html, quote=False)

INK = "currentColor"
ACCENT = "var(--figure-accent, #0b6b6f)"
PAPER = "var(--figure-paper, #ffffff)"
_SIZE = 14
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
    size: int = _SIZE,
    bold: bool = False,
    dim: bool = False,
    mono: bool = False,
) -> str:
    """One line of text; `y` is its base line."""
    # A figure's own size, as `figure` sets it, need not be said again.
    height = f' font-size="{size}"' if size != _SIZE else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    weight = ' font-weight="600"' if bold else ""
    opacity = ' fill-opacity="0.75"' if dim else ""
    family = f' style="font-family:{_MONO}"' if mono else ""
    return f'<text x="{x}" y="{y}"{height}{place}{weight}{opacity}{family}>{escape(words)}</text>'


def arrow(x1: int, y1: int, x2: int, y2: int, stroke: str = INK, *, dash: str = "") -> str:
    """A line with a head at its end."""
    length = hypot(x2 - x1, y2 - y1)
    along, aside = (x2 - x1) / length, (y2 - y1) / length
    # The line ends inside the head, or its square end would blunt the tip.
    foot = x2 - 9 * along, y2 - 9 * aside
    corners = (x2, y2), (foot[0] - 5 * aside, foot[1] + 5 * along), (foot[0] + 5 * aside, foot[1] - 5 * along)
    points = " ".join(f"{x:.4g},{y:.4g}" for x, y in corners)
    shaft = line(x1, y1, round(x2 - 5 * along), round(y2 - 5 * aside), stroke, dash=dash)
    return f'{shaft}<polygon points="{points}" style="fill:{stroke}"/>'


def tag(x: int, y: int, number: int) -> str:
    """A number in a circle with its middle at a point, for what the text counts."""
    return (
        f'<circle cx="{x}" cy="{y}" r="11" style="fill:{ACCENT}"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-weight="600" style="fill:{PAPER}">'
        f"{number}</text>"
    )


def box(x: int, y: int, width: int, height: int, *lines: str, mono: bool = False, size: int = _SIZE) -> list[str]:
    """A box with lines of text in its middle, the first one bold; `mono` is about the first, too."""
    first = y + height // 2 + 5 - 9 * (len(lines) - 1)
    return [
        rect(x, y, width, height, PAPER, INK),
        *(
            text(
                x + width // 2,
                first + 18 * number,
                words,
                anchor="middle",
                bold=number == 0,
                dim=number > 0,
                mono=mono and number == 0,
                size=size if number == 0 else 13,
            )
            for number, words in enumerate(lines)
        ),
    ]


def figure(name: str, width: int, height: int, title: str, words: str, parts: Iterable[str]) -> str:
    """A whole figure.

    Args:
        name: What its ids begin with; a page has several figures.
        width: In the units of its parts.
        height: In the units of its parts.
        title: Its name for who cannot see it.
        words: All that it shows, in words.
        parts: Its strokes, those behind first.
    """
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" fill="currentColor" font-size="{_SIZE}"'
        f' viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
    )
    names = f'<title id="{name}-title">{escape(title)}</title>', f'<desc id="{name}-desc">{escape(words)}</desc>'
    return "\n".join([head, *names, *parts, "</svg>"]) + "\n"
