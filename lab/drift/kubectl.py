"""`kubectl get`: the rows of a table."""

import re
from collections.abc import Sequence

from lab.drift.entry import Entry
from lab.drift.question import Question

# How old an object is, or when something about it happened: noise.
_NOISE = {"AGE", "LAST SEEN"}
_GAP = re.compile(r"\s{2,}")


def parse(question: Question, lines: Sequence[str]) -> list[Entry]:
    """Objects by the first column, or by the first two where that is their namespace."""
    if not lines or not re.fullmatch(r"[A-Z][A-Z0-9()_ /:.-]*", lines[0]):
        return []
    names = _GAP.split(lines[0].strip())
    found = []
    for number, line in enumerate(lines[1:], 1):
        cells = _GAP.split(line.strip())
        if len(cells) != len(names):
            continue
        row = dict(zip(names, cells, strict=True))
        wide = names[0] == "NAMESPACE" and len(cells) > 1
        subject = f"{cells[0]}/{cells[1]}" if wide else cells[0]
        fields = {name: value for name, value in row.items() if name not in _NOISE}
        found.append(Entry("object", subject, fields, (number,)))
    return found
