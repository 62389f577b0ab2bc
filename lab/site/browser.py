"""The host's Chromium, for the tests of the site and for pictures of its pages.

`python -m lab.site.browser SITE/PAGE.html FILE.png` takes a picture of a built page.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from lab.errors import LabError

FLAGS = [
    "--no-sandbox",  # its sandbox does not start as root or in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Path of the browser: what CHROMIUM says, else the first on PATH.

    Raises:
        LabError: There is none.
    """
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, _NAMES)]
    found = next((path for path in candidates if path), None)
    if found is None:
        raise LabError(
            "the site is looked at in Chromium, and this host has none",
            detail=f"Looked for {', '.join(_NAMES)} on PATH.",
            hint="apt-get install -y chromium, or set CHROMIUM to its path",
        )
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, closed at the end.

    Raises:
        LabError: There is none on this host.
    """
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def picture(page: Path, file: Path, *, width: int = 1280, height: int = 800) -> None:
    """Write a PNG of the upper part of a built page, in light colours.

    Args:
        page: The HTML file.
        file: Where the picture goes.
        width: Of the window, in pixels.
        height: Of the window, in pixels.

    Raises:
        LabError: The page does not exist, or there is no browser.
    """
    if not page.is_file():
        raise LabError(f"{page} does not exist", hint="build the site first: make site")
    with chromium() as browser:
        view = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        view.goto(page.resolve().as_uri(), wait_until="load")
        view.screenshot(path=file)


def main() -> None:
    """Take the picture that the command line asks for."""
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m lab.site.browser SITE/PAGE.html FILE.png")
    try:
        picture(Path(sys.argv[1]), Path(sys.argv[2]))
    except LabError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
