"""The README says one thing about each time and each number, and names commands that exist."""

import re
from pathlib import Path

from click.testing import CliRunner

from lab.cli import main
from lab.snippets import discover

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WORDS = {"a quarter of an hour": 15, "half an hour": 30}
"""Minutes that are said in words."""


def test_the_first_build_takes_the_same_time_everywhere() -> None:
    """In the README's text, in its table of what was measured, and in the command's own help."""
    (text,) = re.findall(r"Building the nodes takes about (.+?) on two cores", README)
    said = " ".join(CliRunner().invoke(main, ["build", "--help"]).output.split())
    assert f"The first build takes about {text} on two cores." in said
    (measured,) = re.findall(r"^\| first build of the nodes, nothing cached \| (\d+) min \|$", README, re.M)
    assert abs(WORDS[text] - int(measured)) <= 4


def test_a_count_of_snippets_is_that_of_the_book() -> None:
    """Said without a number, it stays true; with one, it is this one."""
    snippets = discover()
    quiet = sum(not snippet.alone for snippet in snippets)
    assert len(snippets) > quiet > 0
    assert set(re.findall(r"(\d+) snippets", README)) <= {str(len(snippets))}
    assert set(re.findall(r"the (\d+) of them", README)) <= {str(quiet)}
    assert "`lab verify`: all snippets" in README or f"`lab verify`: {len(snippets)} snippets" in README


def test_every_command_exists() -> None:
    """What is to be typed: `make`'s targets and `lab`'s commands."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    made = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.M))
    asked = set(re.findall(r"(?:^\.venv/bin/|`)lab ([a-z][a-z-]*)", README, re.M))
    assert {"book", "test", "bench"} <= made <= targets
    assert {"up", "down", "shell", "verify", "doctor"} <= asked <= {*main.commands}
