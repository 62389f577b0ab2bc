"""Where the lab keeps things: products outside the checkout, state inside it, sockets in a short place."""

import hashlib
import os
import tempfile
from pathlib import Path

from lab.errors import LabError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

PACKAGE = Path(__file__).resolve().parent
"""The folder of this package: cluster.yaml, image/, provision/."""

SNIPPETS = ROOT / "snippets"


def cache_dir() -> Path:
    """Built products, shared by all checkouts of this user; LAB_CACHE moves it."""
    import platformdirs  # a snippet, which starts at once, has no use for it

    override = os.environ.get("LAB_CACHE")
    return Path(override) if override else platformdirs.user_cache_path("living-book")


def state_dir() -> Path:
    """This checkout's lab: disks, keys, kubeconfig, logs; LAB_STATE moves it."""
    override = os.environ.get("LAB_STATE")
    return Path(override) if override else ROOT / ".lab"


def real_uid() -> int:
    """This user's id as the host knows it, also inside the lab's user namespace, where it is 0."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inner, outer, count = (int(word) for word in line.split())
        if inner <= os.getuid() < inner + count:
            return outer + os.getuid() - inner
    return os.getuid()


def runtime_dir() -> Path:
    """Sockets of this checkout's lab, in a folder whose name is short enough for a socket's path (about 100 bytes).

    Private to the user; made if it is missing.
    """
    mark = hashlib.sha256(str(state_dir().resolve()).encode()).hexdigest()[:8]
    base = os.environ.get("XDG_RUNTIME_DIR")
    parent = Path(base) if base and os.access(base, os.W_OK) and len(base) < 40 else Path(tempfile.gettempdir())
    folder = parent / f"living-book-{real_uid()}-{mark}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise LabError(f"{folder} belongs to another user", hint="set XDG_RUNTIME_DIR to a folder of your own")
    return folder
