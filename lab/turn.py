"""One run at a time over a checkout's cluster: two would remove each other's scenarios."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import paths
from lab.errors import LabError

PATIENCE = 3600.0
"""Seconds that a command waits for its turn; LAB_WAIT says another number, 0 not to wait at all."""


@contextmanager
def turn() -> Iterator[None]:
    """Run the block when no other `lab run, update, verify` and no notebook of this checkout is at work.

    Raises:
        LabError: Another one still is after all the patience; names it.
    """
    from filelock import FileLock, Timeout

    folder = paths.state_dir()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, holder = FileLock(folder / "snippets.lock"), folder / "snippets.turn"
    patience = _patience()
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = _told(holder)
        if patience:
            print(f"waiting for {who} to end ... (Ctrl-C: do not wait)", file=sys.stderr, flush=True)
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            raise LabError(
                f"the snippets of this checkout are being run already, by {who}",
                hint="wait for it, or end the notebook's kernel; LAB_WAIT=600 waits ten minutes",
            ) from None
    try:
        words = [Path(sys.argv[0]).name, *sys.argv[1:]]
        holder.write_text(json.dumps({"pid": os.getpid(), "command": " ".join(words), "since": time.time()}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _patience() -> float:
    told = os.environ.get("LAB_WAIT", "")
    try:
        return float(told) if told else PATIENCE
    except ValueError:
        raise LabError(f"LAB_WAIT={told} is no number of seconds", hint="LAB_WAIT=600 waits ten minutes") from None


def _told(holder: Path) -> str:
    """Who has the turn, as it wrote itself; it may be gone, or not have written yet."""
    try:
        found = json.loads(holder.read_text())
        age = time.time() - found["since"]
        return f"`{found['command']}` (process {found['pid']}, for {age:.0f} s)"
    except (OSError, ValueError, KeyError):
        return "another command"
