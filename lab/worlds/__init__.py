"""Worlds: hosts and networks in the sandbox that more than one snippet begins with.

The programs beside this file are in every sandbox, in /run/lab.
"""

from lab.sandbox import Host, sandbox


def two_hosts() -> list[Host]:
    """Build two hosts on a bridge, with the sandbox as their router: what `namespaces/two_hosts` builds, by `ip`.

    Returns:
        host1 and host2, 10.1.0.1 and 10.1.0.2 of 10.1.0.0/24; the sandbox has 10.1.0.254.
    """
    return sandbox.world("two-hosts", "host1", "host2")


def two_nodes() -> list[Host]:
    """Build two routers with a bridge and a host each: two nodes with a pod each, and no routes across.

    Returns:
        left and right, 192.0.2.1 and 192.0.2.2; pod1 and pod2, 10.1.1.2 and 10.1.2.2.
    """
    return sandbox.world("two-nodes", "left", "right", "pod1", "pod2")


def three_servers() -> list[Host]:
    """Build a client, a host in front and three servers behind it, on two bridges in the sandbox.

    Neither the client nor a server has a route beyond its own network; the
    front forwards. Each server listens on port 1234 and answers a request
    with its name and the asker's address.

    Returns:
        client, front, server1, server2 and server3.
    """
    return sandbox.world("three-servers", "client", "front", "server1", "server2", "server3")


WORLDS = {"two-hosts": two_hosts, "two-nodes": two_nodes, "three-servers": three_servers}
"""The names that `lab sandbox` takes."""
