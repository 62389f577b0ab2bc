"""Runs a snippet in the test's own process, with fresh handles on the nodes and the sandbox that the test chooses."""

import importlib
import io
import runpy
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import lab
from lab import vxlan, worlds
from lab.carriers import Carrier
from lab.carriers.sandbox import SandboxCarrier

# `lab.cluster` and `lab.sandbox` name the handles once `lab` is imported, so the modules are asked for in full.
Cluster = importlib.import_module("lab.cluster").Cluster
Sandbox = importlib.import_module("lab.sandbox").Sandbox


def play(path: Path, carrier: Carrier) -> str:
    """Run a snippet and return what it printed; its failure is raised."""
    printed = io.StringIO()
    cluster, sandbox = Cluster(connect=lambda: carrier), Sandbox(SandboxCarrier(lambda: carrier))
    with (
        mock.patch.object(lab, "cluster", cluster),
        mock.patch.object(vxlan, "cluster", cluster),
        mock.patch.object(lab, "sandbox", sandbox),
        mock.patch.object(worlds, "sandbox", sandbox),
        redirect_stdout(printed),
    ):
        runpy.run_path(str(path))
    return printed.getvalue()
