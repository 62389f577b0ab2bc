"""The book's outputs against the real cluster, with nothing else on it."""

import time
from collections.abc import Callable

import pytest
from harness import Lab

from lab.snippets import discover

On = Callable[..., str]
pytestmark = pytest.mark.cluster


def test_the_captures_hold(lab: Lab) -> None:
    """`lab verify` on an untouched tree compares every snippet, and finds no difference."""
    every = len(discover())
    assert f"\n{every} snippets: 0 changed, {every} unchanged, 0 failed; " in lab("verify", timeout=2400).stdout


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


def test_what_a_killed_verify_left_is_removed_by_the_next(lab: Lab) -> None:
    """After kill -9 its scenario stands; the next command says so, deletes it, and compares as if it had never been."""
    pods = ("kubectl", "--", "get", "pods", "-l", "app.kubernetes.io/managed-by=living-book", "-o", "name")
    process = lab.start("verify", "pod_to_pod/the_brief_line")
    try:
        deadline = time.monotonic() + 120
        while not lab(*pods).stdout and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        process.kill()
        process.communicate(timeout=60)
    left = lab(*pods).stdout
    assert left, "it was killed too late"
    said = lab("verify", "pod_to_pod/routes_to_other_nodes", timeout=300)
    assert f"(process {process.pid}) was killed: removing what its scenarios left" in said.stderr
    for pod in left.split():
        assert f"deleted Pod default/{pod.removeprefix('pod/')}" in said.stderr
    assert lab(*pods).stdout == ""
    assert "was killed" not in lab("verify", "pod_to_pod/routes_to_other_nodes", timeout=300).stderr
