"""Process 1 of the lab's own namespaces: makes the network, then waits.

Everything of the lab (kernels, ssh connections) lives below this process, so the
kernel ends all of it when this one ends, whatever happened to `lab` itself.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

BRIDGE = "lab0"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


def host_end(node: str) -> str:
    """Name of the device on the bridge that leads to a node."""
    return f"br-{node}"[:15]


def node_end(node: str) -> str:
    """Name of the device whose frames a node's kernel reads and writes."""
    return f"um-{node}"[:15]


def make_network(gateway: str, prefix: str, nodes: list[str]) -> None:
    """One bridge with the gateway's address, and a pair of devices for each node.

    Segmentation offloads are off everywhere: a user-mode kernel drops the large
    segments that they would hand it.
    """
    for key in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6").write_text("1")
    _ip("link", "set", "lo", "up")
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{gateway}/{prefix}", "dev", BRIDGE)
    devices = [BRIDGE]
    for node in nodes:
        outer, inner = host_end(node), node_end(node)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", outer, "master", BRIDGE)
        # The frames on this end are the node's; this namespace must not answer ARP for them.
        _ip("link", "set", inner, "arp", "off")
        devices += [outer, inner]
    for device in devices:
        quiet = ["tx", "off", "tso", "off", "gso", "off", "gro", "off"]
        subprocess.run(["ethtool", "-K", device, *quiet], check=True, stdout=subprocess.DEVNULL)
        _ip("link", "set", device, "up")


def wait() -> None:
    """Be process 1 until SIGTERM: reap what is orphaned to it."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigtimedwait({signal.SIGCHLD}, 1.0)


def main() -> None:
    """Set up and wait. Arguments: gateway, prefix length, names of the nodes."""
    gateway, prefix, *nodes = sys.argv[1:]
    make_network(gateway, prefix, nodes)
    print("ready", flush=True)
    os.close(1)
    wait()


if __name__ == "__main__":
    main()
