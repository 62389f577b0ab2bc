"""Follows every link of the built site, also those in raw HTML, which MkDocs does not look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ATTRIBUTES = {"href", "src", "action", "poster", "data"}
# A link that a reader may follow or a machine may read, but that no browser fetches by itself.
_NOT_FETCHED = {("a", ""), ("link", "canonical"), ("link", "prev"), ("link", "next")}
_CSS_FETCH = re.compile(r"""(?:url\(\s*|@import\s+)["']?(?P<url>(?:https?:)?//[^"')\s]+)""")


@dataclass(frozen=True)
class Link:
    """An attribute that points somewhere."""

    tag: str
    rel: str
    url: str


class _Reader(HTMLParser):
    """Collects the links and the anchors of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        if tag == "base":
            return  # only the error page has one, which stands in the folder that it names
        rel = values.get("rel", "") if tag == "link" else ""
        self.links += [Link(tag, rel, url) for name, url in values.items() if name in _ATTRIBUTES]
        sources = (part.split()[0] for part in values.get("srcset", "").split(",") if part.strip())
        self.links += [Link(tag, rel, url) for url in sources]


@dataclass
class Report:
    """The faults of a site, and how many links were followed."""

    followed: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Site:
    """A built site in a folder."""

    folder: Path

    @cached_property
    def pages(self) -> dict[Path, _Reader]:
        """Every page, read."""
        return {path: _read(path) for path in sorted(self.folder.rglob("*.html"))}

    def check(self) -> Report:
        """Follow every link of every page and style sheet."""
        report = Report()
        for page, reader in self.pages.items():
            for link in reader.links:
                report.followed += 1
                report.faults += [f"{page.relative_to(self.folder)}: {fault}" for fault in self._faults(page, link)]
        for sheet in sorted(self.folder.rglob("*.css")):
            for match in _CSS_FETCH.finditer(sheet.read_text(encoding="utf-8")):
                report.faults.append(f"{sheet.relative_to(self.folder)}: fetches {match['url']}")
        return report

    def _faults(self, page: Path, link: Link) -> Iterator[str]:
        parts = urlsplit(link.url)
        if parts.scheme in {"http", "https"} or link.url.startswith("//"):
            if (link.tag, link.rel) not in _NOT_FETCHED:
                yield f"<{link.tag}> fetches {link.url}"
            return
        if parts.scheme in {"mailto", "data", "javascript"}:
            return
        target = self._target(page, unquote(parts.path))
        if target is None:
            yield f"the absolute link {link.url} works on no other place than the root of a server"
        elif target.is_dir():
            yield f"{link.url} is a folder, which no browser opens from a disk"
        elif not target.is_file():
            yield f"{link.url} leads nowhere"
        elif parts.fragment and target.suffix == ".html" and not self._has(target, unquote(parts.fragment)):
            yield f"{link.url}: the page has no such anchor"

    def _target(self, page: Path, path: str) -> Path | None:
        """The file that a link means; None for an absolute one."""
        if not path:
            return page
        return None if path.startswith("/") else (page.parent / path).resolve()

    def _has(self, target: Path, anchor: str) -> bool:
        reader = self.pages.get(target) or self.pages.get(self.folder / target.relative_to(self.folder.resolve()))
        return reader is not None and anchor in reader.anchors


def _read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader
