"""Which lab printed the book, as its receipts say: for the foot of every page, and for the feed of changes."""

from collections.abc import Sequence

from lab import receipt
from lab.errors import LabError
from lab.receipt import Receipt
from lab.snippets import Snippet, discover

NAMES = {"kubernetes": "Kubernetes", "calico": "Calico", "linux": "Linux"}
"""The components that a reader is told about; a receipt has all of them."""


def captures() -> list[tuple[Snippet, Receipt]]:
    """Every snippet that has a whole capture, with its receipt; the status page names the others."""
    found = []
    for snippet in discover():
        try:
            found.append((snippet, receipt.load(snippet)[1]))
        except LabError:
            continue
    return found


def lab_in_words(receipts: Sequence[Receipt]) -> str:
    """The versions that printed the book, such as `Kubernetes v1.37.2, Calico v3.28.5, Linux 7.3.4`.

    Where receipts differ, all versions are named; without receipts the text is empty.
    """
    parts = []
    for key, name in NAMES.items():
        versions = sorted({each.versions[key] for each in receipts if key in each.versions})
        parts += [f"{name} {' and '.join(versions)}"] if versions else []
    return ", ".join(parts)
