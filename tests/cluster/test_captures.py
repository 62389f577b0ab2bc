"""The book's outputs against the real cluster, with nothing else on it."""

from collections.abc import Callable

import pytest
from harness import Lab

On = Callable[..., str]
pytestmark = pytest.mark.cluster


def test_the_captures_hold(lab: Lab) -> None:
    """`lab verify` on an untouched tree finds no difference."""
    said = lab("verify", timeout=2400)
    assert " 0 changed, 0 failed" in said.stderr


def test_a_broken_route_is_named(lab: Lab, on: On) -> None:
    """With a pod network's route gone, verify fails and names the snippet and the line."""
    block = "172.16.140.64/26"
    route = on("node01", f"ip route show {block}").strip()
    try:
        on("node01", "kill -STOP $(pidof bird)")
        on("node01", f"ip route del {block}")
        said = lab("verify", "pod_to_pod/routes_to_other_nodes", status=1).stdout
    finally:
        on("node01", f"ip route replace {route} proto bird")
        on("node01", "kill -CONT $(pidof bird)")
    assert "pod_to_pod/routes_to_other_nodes" in said and block in said
