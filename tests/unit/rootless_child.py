"""The carrier's network as one user makes it: tells what there is, and destroys it when a line arrives."""

import json
import os
import socket
import subprocess
import sys
from typing import Any

from lab import doctor
from lab.carriers.uml import UmlCarrier
from lab.paths import runtime_dir
from lab.spec import load_spec


def inside(carrier: UmlCarrier, *command: str) -> Any:
    """What a program prints that runs in the lab's namespaces."""
    done = subprocess.run(carrier.inside(command), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def listens(carrier: UmlCarrier, address: str) -> bool:
    """Whether a process that enters the lab's network can have that address, which this host has not."""
    child = os.fork()
    if child == 0:
        try:
            carrier.enter()
            with socket.create_server((address, 6443)):
                os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main() -> None:
    """Up, told, down."""
    finding = doctor._namespaces()
    if finding is not None:
        sys.exit(f"{finding.what}: {finding.repair}")
    spec = load_spec()
    carrier = UmlCarrier.create(spec, {})
    try:
        told = {
            "uid": os.getuid(),
            "inside": inside(carrier, "id", "-u"),
            "init": carrier.state.init,
            "runtime": str(runtime_dir()),
            "links": inside(carrier, "ip", "-d", "-j", "link"),
            "addresses": inside(carrier, "ip", "-j", "address", "show", "dev", "lab0"),
            "listens": listens(carrier, spec.networks.gateway),
            "alive": carrier.state.alive(),
        }
        print(json.dumps(told), flush=True)
        sys.stdin.readline()
    finally:
        carrier.destroy()


if __name__ == "__main__":
    main()
