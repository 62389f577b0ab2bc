"""What the tests of the site share: an open page, and what the browser reported about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "site" / "sample"
WAIT = 60_000  # milliseconds; a busy machine is slow, not wrong


@dataclass
class Seen:
    """What the browser reported while pages were open."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@dataclass
class View:
    """An open page, and what the browser reported about it."""

    page: Page
    seen: Seen


Opener = Callable[..., View]
