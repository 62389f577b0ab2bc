"""How long one update of kube-proxy takes in each mode, as its metrics told the snippet that makes many Services."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from lab import receipt
from lab.errors import LabError
from lab.snippets import select

SNIPPET = "proxy_modes/growth"
STAGES = ("to 10", "from 10 to 100", "from 100 to 1,000")
"""What grew from one reading to the next."""
TOOLS = {"iptables": "iptables-save", "nftables": "nft list map", "IPVS": "ipvsadm"}
"""How the snippet counts in each mode: by that command a receipt shows which mode was in force."""

_ASKED = "rules_duration_"
_VALUE = r'^kubeproxy_sync_proxy_rules_duration_seconds_{}{{ip_family="IPv4"}} (\S+)$'
_UNKNOWN = "not measured"

Reading = tuple[float, int]
"""The seconds of all updates since kube-proxy started, and how many there were."""


def times_table() -> list[str]:
    """The table of the book: from the receipt of SNIPPET.

    Raises:
        LabError: There is no whole receipt, or it has no such readings.
    """
    return table(receipt.load(select([SNIPPET])[0])[1].steps)


def table(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """A row for each stage of growth: the mean seconds of one update in each mode, and of how many updates.

    Args:
        steps: The commands of a receipt, with what they printed.

    Raises:
        LabError: There are no readings among them, or not as many for each mode as the snippet makes.
    """
    columns = [_column(mode, found) for mode, found in readings(steps).items()]
    rows = [f"| {' | '.join(cells)} |" for cells in zip(STAGES, *columns, strict=True)]
    lines = [f"| {' | '.join(('while growing', *TOOLS))} |", "|---" * (1 + len(TOOLS)) + "|", *rows]
    if any(_UNKNOWN in cells for cells in columns):
        lines += ["", "What is not measured had no reading before it."]
    return lines


def readings(steps: Iterable[Mapping[str, Any]]) -> dict[str, list[Reading]]:
    """The readings of each mode, in the order in which they were made.

    A reading belongs to the mode whose counting command comes next: the first one of a
    mode stands before anything is counted.

    Raises:
        LabError: A reading lacks sum or count, or no counting follows it.
    """
    found: dict[str, list[Reading]] = {mode: [] for mode in TOOLS}
    waiting: list[Reading] = []
    for step in steps:
        mode = next((mode for mode, tool in TOOLS.items() if tool in step["command"]), None)
        if mode:
            found[mode] += waiting
            waiting = []
        elif _ASKED in step["command"]:
            waiting.append((float(_value(step["stdout"], "sum")), int(float(_value(step["stdout"], "count")))))
    if waiting:
        raise _fault("a reading that belongs to no mode")
    return found


def _value(metrics: str, what: str) -> str:
    match = re.search(_VALUE.format(what), metrics, re.MULTILINE)
    if not match:
        raise _fault(f"a reading without the {what} of its updates")
    return match[1]


def _column(mode: str, found: list[Reading]) -> list[str]:
    """The cells of a mode; without a reading at the start, nobody knows what the first stage took."""
    cells = [_cell(mode, before, after) for before, after in pairwise(found)]
    missing = len(STAGES) - len(cells)
    if missing not in (0, 1):
        raise _fault(f"{len(found)} readings in the mode {mode}, not {len(STAGES)} or {len(STAGES) + 1}")
    return [_UNKNOWN] * missing + cells


def _cell(mode: str, before: Reading, after: Reading) -> str:
    seconds, updates = after[0] - before[0], after[1] - before[1]
    if seconds < 0 or updates < 0:
        raise _fault(f"readings in the mode {mode} that go down: kube-proxy was started anew between them")
    if updates == 0:
        return "no update ended"
    return f"{seconds / updates:.2f} s ({updates} update{'s' if updates > 1 else ''})"


def _fault(what: str) -> LabError:
    return LabError(f"the receipt of {SNIPPET} has {what}", hint=f"capture it anew: lab update {SNIPPET}")
