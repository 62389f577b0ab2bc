"""What each snippet printed when `lab verify` ran it last: all of it, for whoever doubts a noise rule."""

from collections.abc import Iterable
from pathlib import Path

from lab import paths, receipt
from lab.errors import LabError
from lab.execute import Run
from lab.snippets import Snippet


def path_of(snippet: Snippet) -> Path:
    """Where a snippet's last transcript is kept."""
    return paths.state_dir() / "last" / snippet.chapter / snippet.out.name


def keep(snippet: Snippet, run: Run) -> None:
    """Keep a transcript as it was printed; of one that no capture may hold, only why.

    Raises:
        LabError: The disk is full or read-only.
    """
    refused = receipt.refusal(snippet, run.transcript, run.steps, run.answers)
    file = path_of(snippet)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((f"# not kept: {refused}\n" if refused else run.transcript).encode())
    except OSError as error:
        raise LabError(
            f"{snippet.name}: what it printed cannot be kept: {error.strerror}",
            detail=str(error.filename or file),
            hint="is the disk full, or not yours? df -h; another place: LAB_STATE=/path lab verify",
        ) from None


def forget(snippets: Iterable[Snippet]) -> None:
    """Remove what is about to be replaced: a snippet that does not run this time has printed nothing."""
    for snippet in snippets:
        path_of(snippet).unlink(missing_ok=True)
