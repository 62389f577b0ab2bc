"""Markdown extension: every snippet on a page can be linked to.

Before the first block that includes `snippets/pod_to_pod/mtu.py`, or its
transcript, stands an empty element with the id `pod_to_pod-mtu`. Claims link
there, and so can any page: `pod-to-pod.md#pod_to_pod-mtu`.
"""

import re
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_INCLUDE = re.compile(
    r"""^[ \t]*-+8<-+[ \t]+["']snippets/(?P<chapter>\w+)/(?P<name>\w+)\.(?:py|out)(?::[^"']+)?["'][ \t]*$"""
)
_ANCHOR = re.compile(r'^(?P<indent>[ \t]*)(?P<html><div class="snippet-anchor" id="[\w-]+"></div>)$')
# Before pymdownx.snippets (32), which replaces the lines that we look for.
_FIND = 34
# After MkDocs collected the ids that links may name (21), before Markdown reads raw HTML (20):
# stored as finished HTML, the element needs no paragraph, also where it is indented.
_PLACE = 20.5


def anchor(snippet: str) -> str:
    """The id of a snippet on its page: `pod_to_pod-mtu` for `pod_to_pod/mtu`."""
    return snippet.replace("/", "-")


class Finder(Preprocessor):
    """Puts an anchor before the first fence of each snippet."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with the anchors in place."""
        result: list[str] = []
        seen: set[str] = set()
        fence, indent, start = "", "", 0
        for line in lines:
            match = _FENCE.match(line)
            if not fence and match:
                fence, indent, start = match["fence"], match["indent"], len(result)
            elif match and not match["info"].strip() and match["fence"].startswith(fence):
                fence = ""
            elif fence and (include := _INCLUDE.match(line)):
                name = anchor(f"{include['chapter']}/{include['name']}")
                if name not in seen:
                    seen.add(name)
                    result[start:start] = ["", f'{indent}<div class="snippet-anchor" id="{name}"></div>', ""]
                    start += 3
            result.append(line)
        return result


class Placer(Preprocessor):
    """Stores each anchor as finished HTML."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with a placeholder for each anchor."""
        return [self._place(match) if (match := _ANCHOR.match(line)) else line for line in lines]

    def _place(self, match: re.Match[str]) -> str:
        return match["indent"] + self.md.htmlStash.store(match["html"])


class AnchorExtension(Extension):
    """Registers the two steps."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802, the name is Markdown's
        """Hook into a Markdown instance."""
        md.preprocessors.register(Finder(md), "anchor-find", _FIND)
        md.preprocessors.register(Placer(md), "anchor-place", _PLACE)


def makeExtension(**settings: Any) -> AnchorExtension:  # noqa: N802, the name is Markdown's
    """What Markdown calls when the configuration names this module."""
    return AnchorExtension(**settings)
