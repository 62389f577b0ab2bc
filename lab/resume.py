"""`lab update --all` that was interrupted: the next one passes over what it had captured already."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab import paths, receipt
from lab.errors import LabError
from lab.snippets import Snippet, discover


def note() -> Path:
    """The file that says when the run began; it is there until every capture was made since."""
    return paths.state_dir() / "update-all.json"


def begin() -> None:
    """A run begins now, unless it goes on with an earlier one."""
    if _begun() is None:
        note().write_text(json.dumps({"begun": datetime.now(UTC).strftime(receipt.DATE)}) + "\n")


def remaining(snippets: Sequence[Snippet]) -> list[Snippet]:
    """What is still to be run; says what is passed over, and forgets a run that had captured nothing."""
    begun = _begun()
    left = _left(snippets, begun) if begun else list(snippets)
    passed = len(snippets) - len(left)
    if passed:
        file = note().relative_to(paths.ROOT) if note().is_relative_to(paths.ROOT) else note()
        print(f"{passed} of {len(snippets)} are passed over: captured since {begun}, when a run began that did not end")
        print(f"  all of them anew: rm {file}; lab update --all", flush=True)
    else:
        note().unlink(missing_ok=True)
    return left


def settle() -> None:
    """Forget the run if nothing of it is left to do."""
    if (begun := _begun()) and not _left(discover(), begun):
        note().unlink()


def _begun() -> str | None:
    """When it began, as receipts write it; None if there is no such run."""
    try:
        begun = json.loads(note().read_text())["begun"]
        datetime.strptime(begun, receipt.DATE)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(begun)


def _left(snippets: Sequence[Snippet], begun: str) -> list[Snippet]:
    return [snippet for snippet in snippets if not _captured(snippet, begun)]


def _captured(snippet: Snippet, begun: str) -> bool:
    """Whether its capture was made since, and is still fresh."""
    try:
        # Dates of this form are in order as texts, too.
        return receipt.load(snippet)[1].date >= begun and not receipt.stale(snippet)
    except LabError:
        return False
