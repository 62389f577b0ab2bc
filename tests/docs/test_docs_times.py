"""How long updates take: the table is computed from the readings of a receipt, and from nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.site import times

COUNTS = {
    "iptables": "iptables-save | grep -c x",
    "nftables": "nft list map ip kube-proxy service-ips | grep -c x",
    "IPVS": "ipvsadm -Sn | wc -l",
}
Step = dict[str, Any]


def _reading(seconds: float, updates: int) -> Step:
    """What kube-proxy tells, with another family and another metric beside it."""
    name = "kubeproxy_sync_{}proxy_rules_duration_seconds_{}"
    text = "\n".join(
        f'{name.format(kind, what)}{{ip_family="{family}"}} {value}'
        for kind, family, add in (("full_", "IPv4", 70), ("", "IPv4", 0), ("", "IPv6", 500))
        for what, value in (("sum", seconds + add), ("count", updates + add))
    )
    return {"command": "curl -s localhost:10249/metrics | grep rules_duration_seconds", "stdout": f"# HELP\n{text}\n"}


def _mode(mode: str, *readings: tuple[float, int]) -> list[Step]:
    """The steps of a mode with a reading at its start, or without one: made, counted, read, and removed at last."""
    made, counted = {"command": "awk | kubectl apply -f -", "stdout": ""}, {"command": COUNTS[mode], "stdout": "10\n"}
    last = [_reading(*each) for each in readings[-3:]]
    first = [_reading(*each) for each in readings[:-3]]
    walked = {"command": "iptables -t nat -S KUBE-SERVICES | grep -c -- -A", "stdout": "4\n"}
    return [*first, *(step for each in last for step in (made, counted, each, counted, walked)), made]


FOUR = [
    *_mode("iptables", (100.0, 50), (101.0, 54), (102.0, 55), (104.5, 56)),
    *_mode("nftables", (0.5, 1), (0.9, 3), (0.9, 3), (3.9, 6)),
    *_mode("IPVS", (1.0, 1), (7.0, 3), (14.0, 5), (27.12, 7)),
]
THREE = [
    *_mode("iptables", (101.0, 54), (102.0, 55), (104.5, 56)),
    *_mode("nftables", (0.9, 3), (1.5, 5), (3.9, 9)),
    *_mode("IPVS", (1.0, 1), (7.0, 3), (14.0, 5), (27.12, 7)),
]


def test_from_readings_to_a_table() -> None:
    """Mean seconds of one update from each reading to the next, and how many updates that is the mean of."""
    assert times.table(FOUR) == [
        "| while growing | iptables | nftables | IPVS |",
        "|---|---|---|---|",
        "| to 10 | 0.25 s (4 updates) | 0.20 s (2 updates) | 3.00 s (2 updates) |",
        "| from 10 to 100 | 1.00 s (1 update) | no update ended | 3.50 s (2 updates) |",
        "| from 100 to 1,000 | 2.50 s (1 update) | 1.00 s (3 updates) | 6.56 s (2 updates) |",
    ]


def test_what_was_not_measured_is_said() -> None:
    """Without a reading at the start of a mode its first stage has no time, and the page says why."""
    lines = times.table(THREE)
    assert lines[2] == "| to 10 | not measured | not measured | 3.00 s (2 updates) |"
    assert lines[3:5] == [
        "| from 10 to 100 | 1.00 s (1 update) | 0.30 s (2 updates) | 3.50 s (2 updates) |",
        "| from 100 to 1,000 | 2.50 s (1 update) | 0.60 s (4 updates) | 6.56 s (2 updates) |",
    ]
    assert lines[5:] == ["", "What is not measured had no reading before it."]


def _without(word: str) -> list[Step]:
    return [step for step in FOUR if word not in step["command"]]


FAULTS: dict[str, tuple[Callable[[], list[Step]], str]] = {
    "no readings": (lambda: _without("curl"), "0 readings in the mode iptables, not 3 or 4"),
    "no steps": (lambda: [], "0 readings in the mode iptables, not 3 or 4"),
    "a mode is missing": (lambda: _without("nft"), "0 readings in the mode nftables, not 3 or 4"),
    "one too many": (lambda: [_reading(1, 1), *FOUR], "5 readings in the mode iptables"),
    "nothing was counted": (lambda: [*FOUR, _reading(1, 1)], "a reading that belongs to no mode"),
    "kube-proxy was started anew": (
        lambda: _mode("iptables", (9.0, 9), (1.0, 1), (2.0, 2), (3.0, 3)),
        "readings in the mode iptables that go down",
    ),
    "no sum": (
        lambda: [{**step, "stdout": step["stdout"].replace("_sum", "_some")} for step in FOUR],
        "a reading without the sum of its updates",
    ),
}


@pytest.mark.parametrize(("steps", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_receipt_without_such_readings_is_an_error(steps: Callable[[], list[Step]], fault: str) -> None:
    """The page shows no table of nothing; the message says how to get readings."""
    with pytest.raises(LabError) as caught:
        times.table(steps())
    assert fault in caught.value.summary
    assert caught.value.hint == "capture it anew: lab update proxy_modes/growth"


def test_the_page_shows_the_receipt(built: Path) -> None:
    """Every cell of the table is on the page."""
    page = (built / "proxy-modes.html").read_text(encoding="utf-8")
    cells = [cell.strip() for line in times.times_table() if line.startswith("| ") for cell in line.split("|")[1:-1]]
    assert len(cells) == 16
    assert [cell for cell in cells if cell not in page] == []
