"""The book's notebooks in real kernels on the real cluster."""

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest
from harness import Lab
from jupyter_browser import opened

from lab import notebook, paths, receipt, runner

pytestmark = pytest.mark.cluster
CHAPTERS = notebook.chapters(paths.ROOT)
LIMIT = 1200
SAMPLE = 2


def todays() -> list[notebook.Chapter]:
    """The chapters whose turn it is: all of them take as long as `lab verify` does. The weekly run takes all."""
    if os.environ.get("LAB_NOTEBOOKS") == "all":
        return CHAPTERS
    today = date.today().toordinal()
    return [CHAPTERS[(today + 4 * number) % len(CHAPTERS)] for number in range(SAMPLE)]


@pytest.mark.parametrize("chapter", todays(), ids=lambda chapter: chapter.name)
def test_the_cells_print_what_the_book_shows(lab: Lab, tmp_path: Path, chapter: notebook.Chapter) -> None:
    """All cells, run in order in one kernel, unchanged, print the captures apart from listed noise."""
    file = tmp_path / chapter.file
    script = Path(__file__).with_name("run_notebook.py")
    command = [sys.executable, script, chapter.name, file]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    cells = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert len(cells) == len(chapter.snippets)
    found = {}
    for snippet, cell in zip(chapter.snippets, cells, strict=True):
        assert [(output.output_type, output.get("name")) for output in cell.outputs] == [("stream", "stdout")]
        found[snippet.name] = runner.diff(snippet, receipt.load(snippet)[0], cell.outputs[0].text)
    assert found == {snippet.name: "" for snippet in chapter.snippets}


def test_nothing_is_left_behind(lab: Lab) -> None:
    """When a notebook's kernel has ended, no object of its snippets is in the cluster."""
    assert lab("reset").stdout == ""


def test_the_command_opens_jupyterlab_inside(lab: Lab) -> None:
    """`lab notebook` serves the chapter on the host's loopback, and a kernel there questions the nodes."""
    chapter = CHAPTERS[0]
    with lab.start("notebook", chapter.name) as process:
        try:
            server = opened(process, lab.state)
            there = [entry["name"] for entry in server.ask("/api/contents", token=server.token)["content"]]
            assert chapter.file in there
            page = server.ask(f"/api/contents/{chapter.file}", token=server.token)["content"]
            assert len(page["cells"]) == 1 + 2 * len(chapter.snippets)
            kernel = server.start_kernel()
            asked = 'from lab import cluster\ncluster.node("node01").run("hostname")'
            assert server.run(kernel, asked) == "node01$ hostname\nnode01\n"
            assert server.run(kernel, "!kubectl get nodes -o name").split() == [
                f"node/{node}" for node in ("controlplane", "node01", "node02")
            ]
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        finally:
            process.kill()
