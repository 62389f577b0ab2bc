"""The command `lab`, as the tests call it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab.carriers.uml import UmlCarrier
from lab.errors import LabError
from lab.paths import ROOT

LAB = Path(sys.executable).parent / "lab"


class Lab:
    """The command `lab`, with a state folder of its own or this checkout's."""

    def __init__(self, state: Path | None = None) -> None:
        self.state = state or ROOT / ".lab"
        self.env = {**os.environ, "LAB_STATE": str(self.state)}

    def __call__(
        self, *words: str, status: int = 0, timeout: float = 600, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([LAB, *words], capture_output=True, text=True, env=self.env, timeout=timeout, input=typed)
        assert done.returncode == status, f"lab {' '.join(words)} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [LAB, *words], text=True, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self("status", "--json").stdout)
        return state

    def state_file(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.state / "state.json").read_text())
        return state

    def processes(self) -> list[tuple[int, str]]:
        """Number and command line of every process on this host that belongs to this lab."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            mine = f"LAB_STATE={self.state}".encode() in environment.split(b"\0")
            if mine and words != [b""]:
                found.append((int(folder.name), " ".join(word.decode(errors="replace") for word in words)))
        return found

    def wait_gone(self, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.processes() == []


LOOK = r"""
uptime; free -m | sed -n 2p
top -b -n 2 -d 1 -w 100 | tail -n +8 | awk '/^top -/ {second = 1} second' | sed -n 7,10p
ps -eo rss=,comm= --sort=-rss | head -5
dmesg | grep -iE 'oom|killed process|blocked for|fatal|segv' | tail -5
journalctl -q --no-pager -u kubelet --since=-15min -o cat \
    | grep -E 'Killing|[Pp]robe failed|BackOff' | cut -c40-260 | tail -6
for log in $(find /var/log/pods/kube-system_* -name '[1-9]*.log' -mmin -15 2>/dev/null); do
    before=${log%/*}/$(($(basename "$log" .log) - 1)).log
    [ -s "$before" ] && echo "$before ended with:" && tail -n 6 "$before" | cut -c1-220
done
true
"""


def look(carrier: UmlCarrier) -> str:
    """What the nodes say of themselves, for whoever reads of a failed test and has no lab to look at."""
    said = []
    for node in carrier.spec.nodes:
        try:
            said.append(f"{node.name}:\n{carrier.execute(node.name, LOOK, timeout=40).stdout}")
        except LabError as error:
            said.append(f"{node.name}: {error}")
    return "\n".join(said)
