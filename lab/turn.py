"""One run at a time over a checkout's cluster: two would remove each other's scenarios."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import paths
from lab.errors import LabError

PATIENCE = 3600.0
"""Seconds that a command waits for its turn; LAB_WAIT says another number, 0 not to wait at all."""


@dataclass
class Turn:
    """What whoever has the turn should know about the one before.

    Attributes:
        killed: Who had it before and was killed, so that its scenarios may still stand; empty when nobody was, or
            when they are removed. Not emptied, it is told to the next one again.
    """

    killed: str = ""


@contextmanager
def turn() -> Iterator[Turn]:
    """Run the block when no other `lab run, update, verify` and no notebook of this checkout is at work.

    Yields:
        Whether the one before was killed.

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
    # Whoever ends, also by Ctrl-C, removes its note before its lock: a note without a lock is of one that was killed.
    left = holder.read_text() if holder.exists() else None
    mine = Turn("" if left is None else _who(left))
    try:
        words = [Path(sys.argv[0]).name, *sys.argv[1:]]
        holder.write_text(json.dumps({"pid": os.getpid(), "command": " ".join(words), "since": time.time()}))
        yield mine
    finally:
        if mine.killed and left is not None:
            holder.write_text(left)
        else:
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
        text = holder.read_text()
    except OSError:
        text = ""
    return _who(text, now=time.time())


def _who(text: str, *, now: float | None = None) -> str:
    try:
        found: dict[str, Any] = json.loads(text)
        age = "" if now is None else f", for {now - found['since']:.0f} s"
        return f"`{found['command']}` (process {found['pid']}{age})"
    except (ValueError, KeyError):
        return "another command"
