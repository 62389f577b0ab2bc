"""Builds networks in the sandbox and on nodes: pyroute2's own calls, carried out in a namespace that may be there."""

import shlex
from typing import Any

from lab.carriers import Carrier
from lab.errors import LabError
from lab.netlink import NODE, Netlink

# Helpers keep each host's namespace open under a number of its own, from this one on.
_FIRST_HANDLE = 100

_FIELDS = {"ifname": "name", "kind": "kind", "address": "mac", "mtu": "mtu"}


class Builder(Netlink):
    """Reads and builds the network of a namespace, with pyroute2's own calls.

    Args:
        host: Whose network it is.
        carrier: Reaches the host.
        hosts: Names of the hosts that there are, now and later.
    """

    def __init__(self, host: str, carrier: Carrier, hosts: list[str]) -> None:
        command = carrier.ssh_command(host) if carrier.recorded is None else [""]
        super().__init__(host, command, recorded=carrier.recorded)
        self._base = self._command[:-1]
        self._hosts = hosts
        self._opened: list[str] = []

    def link(self, command: str, **options: Any) -> None:
        """Add, change or delete an interface: `IPRoute.link`. `net_ns_fd` takes the name of a host.

        Raises:
            LabError: The kernel refused.
        """
        self._build("link", command, options)

    def addr(self, command: str, **options: Any) -> None:
        """Add or delete an address: `IPRoute.addr`.

        Raises:
            LabError: The kernel refused.
        """
        self._build("addr", command, options)

    def route(self, command: str, **options: Any) -> None:
        """Add or delete a route: `IPRoute.route`.

        Raises:
            LabError: The kernel refused.
        """
        self._build("route", command, options)

    def neigh(self, command: str, **options: Any) -> None:
        """Add or delete a neighbour: `IPRoute.neigh`.

        Raises:
            LabError: The kernel refused.
        """
        self._build("neigh", command, options)

    def fdb(self, command: str, **options: Any) -> None:
        """Add or delete an entry of a forwarding table, of a bridge or a VXLAN device: `IPRoute.fdb`.

        Raises:
            LabError: The kernel refused.
        """
        self._build("fdb", command, options)

    def link_lookup(self, **match: Any) -> list[int]:
        """Numbers of the interfaces that match: `IPRoute.link_lookup`."""
        return [link.index for link in self.links() if all(getattr(link, _FIELDS[key]) == match[key] for key in match)]

    def _build(self, what: str, command: str, options: dict[str, Any]) -> None:
        resolved = self._resolved(options)
        if self._recorded is not None:
            return  # what was built is in the answers that follow
        try:
            self._ask(lambda ip: [getattr(ip, what)(command, **resolved)])
        except LabError as error:
            words = " ".join(f"{name}={value}" for name, value in options.items())
            raise LabError(
                f"{self._owner}: the kernel refused `{what} {command} {words}`", detail=error.detail
            ) from error

    def _resolved(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options with numbers in place of hosts' names: the kernel wants a file that the sender has open."""
        options = dict(options)
        if isinstance(options.get("peer"), dict):
            options["peer"] = self._resolved(options["peer"])
        name = options.get("net_ns_fd")
        if isinstance(name, str):
            if name not in self._hosts:
                there = ", ".join(self._hosts) or "none"
                raise LabError(
                    f"no host or namespace {name!r} is known here", hint=f"there are: {there}; sandbox.host(...)"
                )
            if name not in self._opened:
                self.close()
            options["net_ns_fd"] = _FIRST_HANDLE + self._hosts.index(name)
        return options

    def _open(self) -> None:
        self._opened = list(self._hosts)
        handles = f"import os\nfor number, name in enumerate({self._opened}, {_FIRST_HANDLE}):\n"
        handles += "    os.dup2(os.open(f'/run/netns/{name}', os.O_RDONLY), number)\n"
        self._command = [*self._base, f"exec python3 -uc {shlex.quote(handles + NODE)}"]
        super()._open()
