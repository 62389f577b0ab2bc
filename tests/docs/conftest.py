"""The real tree, and its site as `mkdocs build --strict` makes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.site.checks import Tree

ROOT = Path(__file__).parents[2]
SITE_URL = "https://example.org/book/"
REPO_URL = "https://example.org/living/book"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what looks at a built site: building it takes longer than all other tests here together."""
    for item in items:
        if {"built", "published"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.built)


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The checkout."""
    return Tree(ROOT)


def _build(folder: Path, **addresses: str) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "SITE_URL": "", "REPO_URL": "", **addresses},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; strict, so that a warning is an error."""
    return _build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as it is built for a public address, below the root of its server."""
    return _build(tmp_path_factory.mktemp("published"), SITE_URL=SITE_URL, REPO_URL=REPO_URL)
