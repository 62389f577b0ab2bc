"""Snippets as cells of a real kernel: one process for all, an event loop around them, and a display of results."""

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

PREPARE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from fakes import FakeCarrier
from lab import cluster, scenario

carrier = FakeCarrier()
carrier.on("node01", "true")
cluster._connect = lambda: carrier
scenario.present = lambda name, carrier: False
done = []
scenario.apply = lambda name, carrier: done.append(f"apply {{name}}")
scenario.remove = lambda name, carrier: done.append(f"remove {{name}}")
"""
TRANSCRIPT = [("stream", "node01$ true\n")]
SNIPPET = 'from lab import cluster\n\ncluster.needs("pods")\ncluster.node("node01").run("true")'


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookClient]:
    """A kernel whose `cluster` is a fake, and whose turn does not depend on this checkout's lab."""
    client = NotebookClient(nbformat.v4.new_notebook(), timeout=120, coalesce_streams=True)
    with client.setup_kernel(env={**os.environ, "LAB_STATE": str(tmp_path_factory.mktemp("state"))}):
        _run(client, PREPARE)
        yield client


def _run(client: NotebookClient, source: str) -> list[tuple[str, str]]:
    """What a cell shows: the kind of each output, and its text."""
    client.nb.cells.append(nbformat.v4.new_code_cell(source))
    cell = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
    return [(output.output_type, output.get("text") or str(output.get("data"))) for output in cell.outputs]


def _done(client: NotebookClient) -> str:
    """What was applied and removed since it was asked last."""
    [(_, text)] = _run(client, "print(*done, sep=', '); done.clear()")
    return text.strip()


def test_a_cell_shows_its_transcript_and_nothing_else(client: NotebookClient) -> None:
    """A cell that ends with a command does not show its result a second time."""
    assert _run(client, SNIPPET) == TRANSCRIPT
    assert _done(client) == "apply pods"


def test_a_line_of_the_readers_own_changes_nothing(client: NotebookClient) -> None:
    """Between two snippets the cluster stays as it is."""
    assert _run(client, "1 + 1") == [("execute_result", "{'text/plain': '2'}")]
    assert _done(client) == ""


def test_a_snippet_that_needs_nothing_finds_nothing(client: NotebookClient) -> None:
    """What an earlier snippet needed is gone, as when it runs alone."""
    assert _run(client, 'from lab import cluster\n\ncluster.node("node01").run("true")') == TRANSCRIPT
    assert _done(client) == "remove pods"


def test_another_scenario_takes_the_place(client: NotebookClient) -> None:
    """A snippet finds what it needs, and not what another one did."""
    assert _run(client, SNIPPET) == TRANSCRIPT
    assert _run(client, SNIPPET.replace('"pods"', '"services"')) == TRANSCRIPT
    assert _done(client) == "apply pods, remove pods, apply services"


def test_netlink_answers_in_the_kernels_loop(client: NotebookClient) -> None:
    """Structured data is there too, although a loop runs in the thread that asks."""
    shown = _run(client, 'print("lo" in [link.name for link in cluster.node("node01").links()])')
    assert shown == [("stream", "True\n")]
