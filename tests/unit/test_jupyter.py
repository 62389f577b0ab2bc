"""`lab notebook` before JupyterLab comes: what it writes, where it listens. The rest is in tests/cluster."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import jupyter, notebook, paths
from lab.errors import LabError
from lab.notebook import Chapter

CHILD = Path(__file__).with_name("jupyter_child.py")
CHAPTER = Chapter("demo", "docs/demo.md", "Demo", ())


def test_without_jupyterlab_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is optional: who lacks it reads the one line that installs it."""
    monkeypatch.setattr(jupyter.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match="JupyterLab is not installed") as caught:
        jupyter.require()
    assert caught.value.hint == f"make -C {paths.ROOT} notebook"


def test_a_taken_port_is_told() -> None:
    """Another program on the port is no traceback."""
    with jupyter.listen() as taken, pytest.raises(LabError, match="cannot be used: Address already in use"):
        jupyter.listen(taken.getsockname()[1])


def test_the_port_is_the_hosts_own_loopback() -> None:
    """Nobody on the host's network reaches it."""
    with jupyter.listen() as door:
        assert door.getsockname()[0] == "127.0.0.1"


def _cells(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    content = json.loads(path.read_text())
    change(content["cells"])
    path.write_text(json.dumps(content))


def test_what_the_reader_changed_is_kept(tmp_path: Path) -> None:
    """A changed cell moves the file aside; outputs of a run alone, or a newer book, do not."""
    assert jupyter.write(tmp_path, [replace(CHAPTER, title="An older book")]) == []
    path = tmp_path / "demo.ipynb"
    _cells(path, lambda cells: cells[0].update(metadata={"scrolled": True}))
    assert jupyter.write(tmp_path, [CHAPTER]) == []
    assert path.read_text() == notebook.make(CHAPTER)
    _cells(path, lambda cells: cells.append({"cell_type": "code", "source": ["mine = 1"]}))
    (kept,) = jupyter.write(tmp_path, [CHAPTER])
    assert "mine = 1" in kept.read_text()
    assert path.read_text() == notebook.make(CHAPTER)


def test_a_damaged_notebook_is_kept_too(tmp_path: Path) -> None:
    """What cannot be read is not thrown away either."""
    jupyter.write(tmp_path, [CHAPTER])
    (tmp_path / "demo.ipynb").write_text("{")
    (kept,) = jupyter.write(tmp_path, [CHAPTER])
    assert kept.read_text() == "{"
