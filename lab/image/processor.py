"""The processor that the nodes' programs are built for."""

import os

from lab.errors import LabError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What Debian, Go and container images call the processors that programs of the nodes are built for."""


def architecture() -> str:
    """The processor that this host builds for: its own.

    Raises:
        LabError: The nodes' programs were never built for it.
    """
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise LabError(f"nothing is built for {machine}", hint=f"take a host with {' or '.join(ARCHITECTURES)}")
    return ARCHITECTURES[machine]
