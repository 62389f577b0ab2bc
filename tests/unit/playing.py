"""Runs a snippet in the test's own process, with a fresh handle on the nodes that the test chooses."""

import importlib
import io
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import lab
from lab.carriers import Carrier

# `lab.cluster` names the handle once `lab` is imported, so the module is asked for by its full name.
Cluster = importlib.import_module("lab.cluster").Cluster


def play(path: Path, carrier: Carrier) -> str:
    """Run a snippet and return what it printed; its failure is raised."""
    printed = io.StringIO()
    with mock.patch.object(lab, "cluster", Cluster(connect=lambda: carrier)), redirect_stdout(printed):
        runpy.run_path(str(path))
    return printed.getvalue()
