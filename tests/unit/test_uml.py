"""The carrier of user-mode kernels, as far as it needs none."""

import os
from pathlib import Path

import pytest

from lab.carriers.uml import State, UmlCarrier, start_time
from lab.errors import LabError
from lab.spec import load_spec


@pytest.mark.parametrize("lives", [True, False])
def test_a_lost_connection_tells_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: bool) -> None:
    """A dead kernel's last words are in the message: the next start would overwrite them."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    pid = os.getpid()
    kernel = (pid, start_time(pid) if lives else 1)
    carrier = UmlCarrier(load_spec(), State(pid, start_time(pid), pid, "", 0, 2, {}, {"node01": kernel}))
    carrier.console("node01").parent.mkdir()
    carrier.console("node01").write_text("Kernel panic - not syncing: a test\n")
    monkeypatch.setattr(carrier, "ssh_command", lambda node: ["sh", "-c", "exit 255"])
    with pytest.raises(LabError) as caught:
        carrier.execute("node01", "true")
    assert ("its kernel runs" if lives else "its kernel is dead") in caught.value.summary
    assert ("Kernel panic" in caught.value.detail) is not lives
