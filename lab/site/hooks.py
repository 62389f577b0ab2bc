"""What MkDocs calls while it builds the site."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import BuildError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from lab.errors import LabError
from lab.notebook import Chapter, chapters
from lab.site import edition, feed, glossary, notebooks
from lab.site.chapter_map import FIGURE, chapter_map
from lab.site.facts import Facts
from lab.site.slim import slim, tighten
from lab.site.sources import load
from lab.spec import load_spec

_CHAPTERS: dict[str, Chapter] = {}
_CAPTURES: list[feed.Capture] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the settings by what the captures tell."""
    _CAPTURES[:] = edition.captures()
    # The foot of every page shows it.
    config.extra["lab"] = edition.lab_in_words([kept for _, kept in _CAPTURES])
    if not config.repo_url:
        # Without a public address there is nothing that an edit link could lead to.
        config.edit_uri = None
    return config


# Before mkdocs-jupyter looks for notebooks among the files.
@event_priority(100)
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the notebooks, the feed of changes, and the script with the texts of the terms."""
    found = chapters(notebooks.root(config))
    _CHAPTERS.clear()
    _CHAPTERS.update((chapter.page.removeprefix("docs/"), chapter) for chapter in found)
    try:
        for file in notebooks.files(config, found):
            files.append(file)
        book = load(Path(config.docs_dir))
        content = feed.feed(book, _CAPTURES, title=config.site_name, site_url=config.site_url or "")
        files.append(File.generated(config, feed.FILE, content=content))
        files.append(File.generated(config, glossary.SCRIPT, content=glossary.script(Path(config.docs_dir))))
    except LabError as error:
        # MkDocs shows the message of its own errors without a traceback.
        raise BuildError(str(error)) from error
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Complete what an author wrote."""
    if chapter := _notebook(page):
        notebooks.describe(page, chapter)
    elif chapter := _CHAPTERS.get(page.file.src_uri):
        try:
            # A picture's name and description have ids, so a page has the map once.
            facts = Facts(load_spec(), notebooks.root(config) / "snippets")
            map_of_cluster = "" if FIGURE in markdown else chapter_map(facts, chapter)
        except LabError as error:
            raise BuildError(str(error)) from error
        return _after_lead(markdown, f"{notebooks.invitation(page, chapter)}\n{map_of_cluster}\n{glossary.MARK}")
    return markdown


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Bring a notebook into the form of the other pages, and all of them into as few bytes as they need."""
    chapter = _notebook(page)
    if chapter is None:
        return slim(html)
    own = files.get_file_from_path(chapter.page.removeprefix("docs/"))
    assert own is not None, "a chapter has a page"
    return slim(notebooks.polish(html, page, chapter, own.url))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Take from a finished page what only its templates' readers need."""
    return tighten(output)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Make the links of the error page relative; its own `base` says to what."""
    if template_name != "404.html":
        return output
    root = urlsplit(config.site_url or "/").path
    links = re.sub(rf'(?<= )(href|src)="{re.escape(root)}(?!")', r'\1="', output)
    # The theme's settings of a reader belong to the whole site.
    return tighten(links.replace(f'new URL("{root}",location)', "new URL(document.baseURI)"))


def _notebook(page: Page) -> Chapter | None:
    """The chapter that a page is the notebook of."""
    wanted = page.file.src_uri.removeprefix(f"{notebooks.FOLDER}/")
    return next((chapter for chapter in _CHAPTERS.values() if chapter.file == wanted), None)


def _after_lead(markdown: str, block: str) -> str:
    """The text with a block after its opening paragraph, or below its heading if none is marked as such."""
    lines = markdown.split("\n")
    leads = [number for number, line in enumerate(lines) if line.strip() == "{ .lead }"]
    heads = [number for number, line in enumerate(lines) if line.startswith("# ")]
    place = (leads or heads or [-1])[0] + 1
    return "\n".join([*lines[:place], "", block, "", *lines[place:]])
