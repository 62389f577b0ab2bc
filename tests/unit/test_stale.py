"""`lab stale`: which captures do not fit any more, or are too old."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fakes import ROUTE

from lab import freshness, receipt, snippets
from lab.capture import Step
from lab.cli import main

Write = Callable[[str, str], Path]
TEXT = "node01$ ip route\ndefault via 192.168.56.1 dev eth0\n"


@pytest.fixture
def capture(write: Write) -> Callable[..., None]:
    """Makes a snippet with a capture that is some days old."""

    def make(name: str, *, days: int = 0) -> None:
        snippet = snippets.read(write(f"snippets/demo/{name}.py", ROUTE))
        steps = [Step("node01", "ip route", 0, "default via 192.168.56.1 dev eth0\n", "", 0.1)]
        made = receipt.make(
            snippet, TEXT, steps, carrier="fake", versions={}, commit=None,
            now=lambda: datetime.now(UTC) - timedelta(days=days, hours=1),
        )  # fmt: skip
        receipt.save(snippet, TEXT, made)

    return make


def stale(*words: str) -> Result:
    """Run it."""
    return CliRunner().invoke(main, ["stale", *words])


def test_a_fresh_book_is_told(capture: Callable[..., None]) -> None:
    """However old it is: age counts only when it is asked for."""
    capture("new")
    capture("old", days=1000)
    assert (stale().exit_code, stale().output) == (0, "every capture is fresh\n")


@pytest.mark.parametrize(
    ("words", "limit"),
    [(["--age"], freshness.AGE), (["--age", "7"], 7), (["--age=7"], 7), (["--age", "0"], 0)],
    ids=["default", "7", "=7", "0"],
)
def test_an_old_capture_says_how_old_it_is(capture: Callable[..., None], words: list[str], limit: int) -> None:
    """One that is just old enough does not; the default is the number that all share."""
    capture("new", days=limit)
    assert stale(*words).output == "every capture is fresh\n"
    capture("old", days=limit + 1)
    result = stale(*words)
    assert result.exit_code == 1
    assert result.output == (
        f"demo/old\n  captured {limit + 1} days ago, more than {limit}\n"
        "lab: 1 capture is stale\n  hint: capture them again: lab update demo/old\n"
    )


def test_what_changed_is_told_beside_the_age(capture: Callable[..., None], write: Write) -> None:
    """Both reasons; a capture that is missing has no age."""
    capture("old", days=freshness.AGE + 1)
    write("snippets/demo/old.py", ROUTE + "\n")
    write("snippets/demo/none.py", ROUTE)
    result = stale("--age")
    assert result.exit_code == 1
    assert "demo/none\n  has no none.out\n" in result.output
    assert f"demo/old\n  the snippet itself\n  captured {freshness.AGE + 1} days ago" in result.output
    assert "days ago" not in stale().output


@pytest.mark.parametrize("words", [["--age=1.5"], ["--age", "soon"]])
def test_what_is_no_number_of_days_is_refused(capture: Callable[..., None], words: list[str]) -> None:
    """As a mistake of the command line."""
    capture("new")
    result = stale(*words)
    assert result.exit_code == 2 and "Invalid value for '--age'" in result.output
