"""What must not stand in any tracked file, and how words are spelled."""

import subprocess
import sys
from pathlib import Path

from lab.site.checks import tracked_files, word_faults

ROOT = Path(__file__).parents[2]
# Joined here, so that this file does not name them either.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
]


def test_no_registry_is_named() -> None:
    """Where packages come from is the user's setting, so no tracked file names a package registry."""
    files = tracked_files(ROOT)
    assert len(files) > 20
    assert word_faults(files, REGISTRIES) == []


def test_no_path_of_this_machine_is_named() -> None:
    """No tracked file names the folder of this checkout: it lies elsewhere on another machine."""
    files = tracked_files(ROOT)
    assert len(files) > 20
    assert word_faults(files, [f"{ROOT}/", f"file://{ROOT.parent}"]) == []


def test_a_planted_word_is_seen(tmp_path: Path) -> None:
    """The check sees a word in any case of letters, and says where; a binary file does no harm."""
    text, binary = tmp_path / "a.txt", tmp_path / "b.bin"
    text.write_text(f"fine\nsee https://{REGISTRIES[0].upper()}/x\n", encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    assert word_faults([text, binary], REGISTRIES) == [f"{text}:2 names {REGISTRIES[0].upper()}"]


def _misspelled(*paths: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codespell_lib", "--builtin", "clear,rare", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True)


def test_pages_are_spelled_right() -> None:
    """No page has a common misspelling."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    assert pages
    done = _misspelled(*pages)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_planted_misspelling_is_seen(tmp_path: Path) -> None:
    """The spelling check sees a fault."""
    page = tmp_path / "page.md"
    page.write_text("The adress of a pod.\n", encoding="utf-8")
    done = _misspelled(page)
    assert done.returncode != 0
    assert "adress ==> address" in done.stdout
