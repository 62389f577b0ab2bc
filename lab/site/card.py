"""Draws the picture that other sites show beside a link to the book.

`python -m lab.site.card` writes it to docs/assets/card.png. The drawing is SVG
as all figures of the book are, but who shows it takes only pixels, so Chromium
paints it. The file tells which drawing it is of.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from lab.paths import SNIPPETS
from lab.site.facts import Facts
from lab.site.figures import ROOT
from lab.site.svg import ACCENT, PAPER, line, rect, text
from lab.spec import CLUSTER_YAML, load_spec

FILE = ROOT / "docs" / "assets" / "card.png"
WIDTH, HEIGHT = 1200, 630
"""In pixels; the shape that is shown whole everywhere."""

CAPTURE = ROOT / "snippets" / "pod_to_pod" / "the_brief_line.out"
"""What it shows of the book: one command, and what node01 printed."""

_KEYWORD = b"Drawing"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEFT, _BOX, _STEP = 80, 320, 360
_TOP, _TUNNEL, _BOTTOM = 350, 465, 530


def card(facts: Facts, transcript: str) -> str:
    """The drawing: the book's name, one of its outputs, and its three nodes.

    Args:
        facts: What cluster.yaml says, and the capture of the nodes' blocks.
        transcript: A prompt with a command, and a line that was printed.
    """
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" fill="#16242b"'
        ' style="display:block;font-family:system-ui,sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<rect width="{WIDTH}" height="16" style="fill:{ACCENT}"/>',
        text(_LEFT, 112, "The living book of Kubernetes networking", size=44, bold=True),
        text(_LEFT, 166, "How a packet reaches a pod, printed by a real cluster", size=32, dim=True),
        rect(_LEFT, 204, WIDTH - 2 * _LEFT, 104, "#f3f6f6", "#4a5a62"),
    ]
    for number, printed in enumerate(transcript.splitlines()[:2]):
        lines.append(text(_LEFT + 24, 246 + 38 * number, printed, size=25, mono=True, bold=number == 0))
    for number, node in enumerate(facts.spec.nodes):
        lines += _node(_LEFT + number * _STEP, node.name, node.address, str(facts.block(node.name)))
    lines.append(line(_LEFT + 40, _TUNNEL, _LEFT + 2 * _STEP + _BOX - 40, _TUNNEL, ACCENT, dash="12 8"))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _node(x: int, name: str, address: str, block: str) -> Iterator[str]:
    yield rect(x, _TOP, _BOX, _BOTTOM - _TOP + 40, PAPER, "#16242b")
    yield text(x + 24, _TOP + 44, name, size=28, bold=True)
    yield text(x + 24, _TOP + 84, block, size=24, mono=True)
    yield text(x + 24, _BOTTOM + 12, address, size=24, mono=True, dim=True)


def draw(description: Path = CLUSTER_YAML) -> str:
    """The drawing as the cluster's description and the captures give it today."""
    return card(Facts(load_spec(description), SNIPPETS), CAPTURE.read_text(encoding="utf-8"))


def signed(png: bytes, drawing: str) -> bytes:
    """The picture with the digest of the drawing that it shows, as a text in the file."""
    content = _KEYWORD + b"\0" + _digest(drawing)
    checksum = zlib.crc32(b"tEXt" + content)
    chunk = struct.pack(">I", len(content)) + b"tEXt" + content + struct.pack(">I", checksum)
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def shows(png: bytes, drawing: str) -> bool:
    """Whether a picture is one of this drawing, in the right size."""
    size = struct.pack(">II", WIDTH, HEIGHT)
    return png.startswith(_SIGNATURE) and png[16:24] == size and _KEYWORD + b"\0" + _digest(drawing) in png


def _digest(drawing: str) -> bytes:
    return hashlib.sha256(drawing.encode()).hexdigest().encode()


def main() -> None:
    """Paint it to its file."""
    from lab.site.browser import chromium

    drawing = draw()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content(f'<body style="margin:0">{drawing}</body>')
        FILE.write_bytes(signed(page.screenshot(), drawing))


if __name__ == "__main__":
    main()
