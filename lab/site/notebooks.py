"""The chapters' notebooks as pages of the site, and beside each page the notebook itself to download.

mkdocs-jupyter renders them, without running anything. What it adds for a page that stands alone is
taken off again: 0.6 MB of JupyterLab's style sheet, scripts that name other hosts, and a second copy of
every cell. What is left has the form of the book's other pages, so their styles, their copy button and
their tests hold for it too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import get_toc
from mkdocs.utils import get_relative_url
from pymdownx.highlight import Highlight

from lab import notebook
from lab.notebook import Chapter
from lab.site.anchors import anchor

FOLDER = "notebooks"
# mkdocs-jupyter reads files; these are not in the tree.
_CACHE = ".cache/pages"
_HEADINGS = ("h1", "h2", "h3")
_BLOCK = re.compile(r"<pre>.*?</pre>", re.DOTALL)
_SPAN = re.compile(r"</?span\b[^>]*>")


def root(config: MkDocsConfig) -> Path:
    """The checkout that a site is built from."""
    return Path(config.config_file_path or ".").resolve().parent


def files(config: MkDocsConfig, chapters: list[Chapter]) -> Iterator[File]:
    """The notebooks as files for MkDocs.

    Raises:
        LabError: A snippet has no capture, or one that was edited by hand.
    """
    cache = root(config) / _CACHE
    (cache / FOLDER).mkdir(parents=True, exist_ok=True)
    for chapter in chapters:
        path = cache / FOLDER / chapter.file
        # Another build of the same checkout may be reading it.
        whole = path.with_suffix(".new")
        whole.write_text(notebook.make(chapter), encoding="utf-8")
        whole.replace(path)
        yield File(f"{FOLDER}/{chapter.file}", str(cache), config.site_dir, config.use_directory_urls)


def describe(page: Page, chapter: Chapter) -> None:
    """Give a notebook's page what the front matter gives others; the search knows the chapter already."""
    page.meta.update(
        title=f"{chapter.title}, the notebook",
        description=f"The snippets of the chapter {chapter.title} as a notebook, with what the cluster printed.",
        search={"exclude": True},
    )
    page.edit_url = None


def invitation(page: Page, chapter: Chapter) -> str:
    """The line of a chapter's page that leads to its notebook, in Markdown."""
    place = f"{FOLDER}/{chapter.file}"
    up = "../" * page.file.src_uri.count("/")
    return (
        f"This chapter is also [a notebook]({up}{place}): "
        f'<a href="{get_relative_url(place, page.url)}" download>download it</a>, '
        f"or run it beside the text with `lab notebook {chapter.name}`.\n"
        "{ .beside }"
    )


def polish(html: str, page: Page, chapter: Chapter, chapter_url: str) -> str:
    """What mkdocs-jupyter rendered, in the form of the book's other pages.

    Args:
        html: The content of a notebook's page.
        page: The page; its table of contents is made anew from the headings.
        chapter: Whose notebook it is.
        chapter_url: Address of the chapter's page.
    """
    # Blocks are highlighted anew from their text: without thousands of coloured spans a page is read four times faster.
    soup = BeautifulSoup(_BLOCK.sub(lambda block: _SPAN.sub("", block[0]), html), "html.parser")
    back = get_relative_url(chapter_url, page.url)
    parts: list[str] = []
    # A code cell is two elements of the same class, one in the other.
    for cell in soup.select(".jp-MarkdownOutput, div[id^='cell-id='].jp-CodeCell"):
        parts.append(_code_cell(cell, len(parts)) if "jp-CodeCell" in cell["class"] else _text_cell(cell, back))
    parts.insert(1, _download(chapter, back))
    page.toc = get_toc(_tokens(soup))  # type: ignore[arg-type]  # what Markdown's own extension gives is of no type
    return "\n".join(parts)


def _text_cell(cell: Tag, back: str) -> str:
    """Headings with the theme's link, and the snippet's name as a link to its place in the chapter."""
    for heading in cell.find_all(_HEADINGS):
        for link in heading.select("a.anchor-link"):
            link["class"], link["title"], link.string = "headerlink", "Link to this section", "¶"
    for name in cell.select("h2 + p > code:first-child"):
        name.wrap(BeautifulSoup().new_tag("a", href=f"{back}#{anchor(name.get_text())}"))
    return cell.decode_contents().strip()


def _code_cell(cell: Tag, number: int) -> str:
    """A snippet and its transcript, highlighted as on the chapter's page."""
    source = cell.select_one(".highlight-ipynb pre")
    output = cell.select_one(".jp-OutputArea-output pre")
    assert source is not None and output is not None, "mkdocs-jupyter changed its form"
    # As mkdocs.yml has it for all other pages; only a transcript is copied in part, line by line.
    code = Highlight(None, pygments_lang_class=True).highlight(source.get_text(), "python")
    lines = Highlight(None, pygments_lang_class=True, line_spans="__span")
    text = output.get_text().rstrip("\n") + "\n"
    return f"{code}\n{lines.highlight(text, 'node-console', code_block_count=number)}"


def _download(chapter: Chapter, back: str) -> str:
    return (
        f'<p class="beside"><a href="{chapter.file}" download>Download {chapter.file}</a>, '
        f'or read <a href="{back}">the chapter</a>.</p>'
    )


def _tokens(soup: BeautifulSoup) -> list[dict[str, Any]]:
    """The headings in the form that MkDocs makes a table of contents from."""
    found: list[dict[str, Any]] = []
    for heading in soup.select(", ".join(f".jp-MarkdownOutput {name}[id]" for name in _HEADINGS)):
        text = "".join(part.get_text() for part in heading.contents if "headerlink" not in _classes(part))
        found.append({"level": int(heading.name[1]), "id": heading["id"], "name": text, "children": []})
    for token in found[1:]:
        found[0]["children"].append(token)
    return found[:1]


def _classes(part: Any) -> Any:
    return part.get("class") or () if isinstance(part, Tag) else ()
