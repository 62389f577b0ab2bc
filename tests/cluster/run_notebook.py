"""Runs the notebook of a chapter in a kernel inside the running lab's network: CHAPTER, FILE for the result."""

import sys
from pathlib import Path

import nbformat

from lab import jupyter, notebook, paths
from lab.carriers.uml import UmlCarrier


def main(chapter: str, file: Path) -> None:
    """Run it and write it with the outputs that its cells had."""
    # First of all: what is imported below may start threads, and an ordinary user's process must have one here.
    UmlCarrier.running().enter()
    from nbclient import NotebookClient
    from traitlets.config import Config

    made = nbformat.reads(notebook.make(notebook.find(paths.ROOT, chapter)), as_version=nbformat.NO_CONVERT)
    config = Config({"KernelManager": {"shutdown_wait_time": jupyter.SHUTDOWN}})
    NotebookClient(made, config=config, timeout=600, coalesce_streams=True).execute()
    nbformat.write(made, file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
