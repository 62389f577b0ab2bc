"""A site built from the real tree plus one sample page, and a real browser to look at it.

The sample page holds one of everything that pages may use, so that each part
is tested with known content whatever the chapters say today.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser
from site_view import ROOT, SAMPLE, WAIT, Opener, Seen, View

from lab.receipt import SCHEMA
from lab.site.browser import chromium


def _receipt(out: Path) -> dict[str, object]:
    """A receipt in the form that `lab update` writes, for the sample transcript."""
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    step = {
        "node": "node01",
        "command": "seq 2",
        "status": 0,
        "seconds": 0.041,
        "raw": hashlib.sha256(b"\0").hexdigest(),  # of nothing on either stream
        "stdout": "",
        "stderr": "",
    }
    return {
        "schema": SCHEMA,
        "snippet": "sample_page/look",
        "date": "2026-11-23T12:00:00Z",
        "carrier": "uml",
        "commit": None,
        "scenario": "pods",
        "versions": {"kubernetes": "v1.37.2", "calico": "v3.28.5", "bird": "2.17", "linux": "7.2.0"},
        "key": digest,
        "parts": {"snippet": digest, "noise": digest},
        "out": digest,
        "steps": [step, {**step, "pod": "pod2", "command": "ip -4 addr show eth0", "status": 1}],
        "answers": [],
    }


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site: every page of the book, and the sample page."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copytree(ROOT / "snippets", tree / "snippets", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "lab").symlink_to(ROOT / "lab")
    shutil.copy(SAMPLE / "sample-page.md", tree / "docs")
    folder = tree / "snippets" / "sample_page"
    folder.mkdir(parents=True)
    for name in ("look.py", "look.out"):
        shutil.copy(SAMPLE / name, folder)
    (folder / "look.json").write_text(json.dumps(_receipt(folder / "look.out")), encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    first = "      - Start here: index.md\n"
    assert config.count(first) == 1, "the nav no longer begins as this fixture expects"
    config = config.replace(first, f"{first}      - sample-page.md\n")
    (tree / "mkdocs.yml").write_text(config, encoding="utf-8")
    built = tree / "site"
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(built)],
        cwd=tree,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return built


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium as the host has it."""
    with chromium() as browser:
        yield browser


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Address of a server on this machine that serves the site, as a web server would."""
    handler = partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def view(browser: Browser, site: Path, served: str) -> Iterator[Opener]:
    """Open a page of the site from its folder: `view("index.html", scheme="dark", width=320)`.

    At the end of the test the browser must have reported no error and no
    request to another place than the folder.
    """
    contexts = []
    seen = Seen()

    def watch(url: str) -> None:
        if not url.startswith((site.as_uri(), served, "data:", "blob:", "about:")):
            seen.foreign.append(url)

    def view(name: str, *, scheme: str = "light", width: int = 1440, base: str = site.as_uri()) -> View:
        context = browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("request", lambda request: watch(request.url))
        page.goto(f"{base}/{name}", wait_until="load")
        return View(page, seen)

    yield view
    for context in contexts:
        context.close()
    assert seen.errors == []
    assert seen.foreign == []
