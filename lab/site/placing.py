"""What extensions that put something around or below a code block have in common: one step finds, one fills."""

from pathlib import Path
from typing import Any, ClassVar

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor


class PlacingExtension(Extension):
    """Registers the two steps; `base_path` is where the paths on a page begin.

    Attributes:
        name: What the steps are registered as.
        finder: The step that marks places before includes are read, and its priority.
        placer: The step that puts HTML in the place of each mark, and its priority; it is told the folder.
    """

    name: ClassVar[str]
    finder: ClassVar[tuple[type[Preprocessor], float]]
    placer: ClassVar[tuple[type["Placing"], float]]

    def __init__(self, **settings: Any) -> None:
        """Take the settings from the site's configuration."""
        self.config = {"base_path": [".", "Folder that the paths of includes are relative to"]}
        super().__init__(**settings)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802, the name is Markdown's
        """Hook into a Markdown instance."""
        (finder, early), (placer, late) = self.finder, self.placer
        md.preprocessors.register(finder(md), f"{self.name}-find", early)
        md.preprocessors.register(placer(md, Path(self.getConfig("base_path"))), f"{self.name}-place", late)


class Placing(Preprocessor):
    """A step that reads files of the book."""

    def __init__(self, md: Markdown, base: Path) -> None:
        """Read files from paths relative to `base`."""
        super().__init__(md)
        self.base = base
