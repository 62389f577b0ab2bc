"""What a capture depends on: each change is named, and so is its age."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab import freshness, paths, snippets

Write = Callable[[str, str], Path]

SNIPPET = (
    '"""Title."""\nfrom lab import cluster\ncluster.needs("pods")\nout = cluster.node("n").run("ls")\nassert out\n'
)
CLUSTER = "versions: {kubernetes: v1.37.2, calico: v3.28.5}\nnetworks: {pods: 172.16.0.0/16}\n"


@pytest.fixture
def snippet(write: Write) -> snippets.Snippet:
    """A snippet with a scenario, in a project with pins."""
    write("snippets/scenarios/pods.yaml", "kind: Pod\n")
    write("lab/cluster.yaml", CLUSTER)
    return snippets.read(write("snippets/demo/look.py", SNIPPET))


def changed(snippet: snippets.Snippet, change: Callable[[], object]) -> list[str]:
    """What is told after a change."""
    before = freshness.parts(snippet)
    change()
    freshness._shared.cache_clear()
    return freshness.changes(before, freshness.parts(snippet))


CHANGES = {
    "snippet": ("snippets/demo/look.py", "x", "the snippet itself"),
    "scenario": ("snippets/scenarios/pods.yaml", "x", "its scenario"),
    "noise": ("lab/noise.py", "x", "lab/noise.py (the noise rules)"),
    "kubeadm": ("lab/kubeadm.py", "x", "lab/kubeadm.py (what kubeadm is told)"),
    "manifest": ("lab/calico.py", "x", "lab/calico.py (how Calico's manifest is made)"),
    "bird": (
        "lab/image/calico/confd/a.template",
        "x",
        "lab/image/calico/confd/a.template (how BIRD is configured) is new",
    ),
    "guest": ("lab/image/guest/etc/a.conf", "x", "lab/image/guest/etc/a.conf (what a node's disk holds) is new"),
    "images": ("lab/image/images.py", "x", "lab/image/images.py (what the pods' images hold)"),
    "packages": ("lab/image/packages.txt", "x", "lab/image/packages.txt (the nodes' Debian packages)"),
    "provision": ("lab/provision/node.sh", "x", "lab/provision/node.sh (how nodes are set up)"),
    "new": ("lab/provision/a/new.sh", "x", "lab/provision/a/new.sh (how nodes are set up) is new"),
    "sum": ("lab/image/calico/go.sum", "x", "lab/image/calico/go.sum (the pinned components)"),
    "mod": ("lab/image/etcd/go.mod", "x", "lab/image/etcd/go.mod (the pinned components) is new"),
    "kernel": ("lab/image/kernel/new.config", "x", "lab/image/kernel/new.config (how the kernel is made) is new"),
    "pin": ("lab/cluster.yaml", CLUSTER.replace("v1.37.2", "v1.38.0"), "the pinned kubernetes: v1.37.2, now v1.38.0"),
    "network": (
        "lab/cluster.yaml",
        CLUSTER.replace("/16", "/17"),
        "lab/cluster.yaml networks (the description of the cluster)",
    ),
}


@pytest.mark.parametrize(("name", "text", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_named(snippet: snippets.Snippet, write: Write, name: str, text: str, told: str) -> None:
    """Which file, which pin: and nothing else."""
    assert changed(snippet, lambda: write(name, text)) == [told]


def test_what_is_gone_is_named(snippet: snippets.Snippet, project: Path) -> None:
    """A file that captures depended on."""
    told = changed(snippet, (project / "lab/provision/node.sh").unlink)
    assert told == ["lab/provision/node.sh (how nodes are set up) is gone"]


def test_a_pin_that_is_gone_is_named(snippet: snippets.Snippet, write: Write) -> None:
    """With the version that it had."""
    told = changed(snippet, lambda: write("lab/cluster.yaml", CLUSTER.replace(", calico: v3.28.5", "")))
    assert told == ["the pinned calico: v3.28.5, now none"]


@pytest.mark.parametrize("text", [CLUSTER + "# a remark\n", CLUSTER.replace(": v", ":   v")])
def test_a_remark_changes_nothing(snippet: snippets.Snippet, write: Write, text: str) -> None:
    """Only what cluster.yaml says counts, not how it is written."""
    assert changed(snippet, lambda: write("lab/cluster.yaml", text)) == []


def test_several_changes_are_all_named(snippet: snippets.Snippet, write: Write) -> None:
    """Snippet first, then the shared parts."""

    def change() -> None:
        write("lab/noise.py", "x")
        write("snippets/demo/look.py", SNIPPET + "\n")

    assert changed(snippet, change) == ["the snippet itself", "lab/noise.py (the noise rules)"]


def test_a_capture_of_another_version_is_no_fit(snippet: snippets.Snippet) -> None:
    """Only what is pinned under the same name can be compared."""
    versions = {"kubernetes": "v1.36.0", "calico": "v3.28.5", "linux": "7.2"}
    told = freshness.mismatches(versions, freshness.parts(snippet))
    assert told == ["kubernetes was v1.36.0, v1.37.2 is pinned"]


def test_the_real_pins_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of the book's own captures."""
    monkeypatch.undo()
    freshness._shared.cache_clear()
    found = freshness.parts(snippets.discover()[0])
    assert {
        "pin kubernetes",
        "lab/provision/node.sh",
        "lab/image/kubernetes/go.sum",
        "lab/noise.py",
        "lab/kubeadm.py",
        "lab/image/calico/confd/templates/bird.cfg.template",
        "lab/image/guest/etc/fstab",
    } <= found.keys()
    assert any(name.startswith("lab/image/kernel/") for name in found)
    assert all((paths.ROOT / name.split()[0]).exists() for name in found if name.startswith("lab/"))


@pytest.mark.parametrize(
    ("day", "days"),
    [("2026-11-23T13:00:00", 0), ("2026-11-24T11:59:59", 0), ("2026-11-24T12:00:00", 1), ("2027-01-07T12:00:00", 45)],
)
def test_age_in_whole_days(day: str, days: int) -> None:
    """Counted from the second of the capture."""
    today = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert freshness.age("2026-11-23T12:00:00Z", today) == days
