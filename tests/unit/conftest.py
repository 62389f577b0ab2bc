"""A fake lab and a small project of snippets, for tests that need no cluster."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiserver import StandIn
from fakes import ROUTE, FakeApi, FakeCarrier, FakeClock, Lab

from lab import carriers, course, freshness, node, paths, runner, scenario

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reader's own shell says about carriers and records does not count."""
    for name in ("LAB_CARRIER", "LAB_RECORD", "LAB_SCENARIO"):
        monkeypatch.delenv(name, raising=False)
    # Whoever must wait for a turn is told at once.
    monkeypatch.setenv("LAB_WAIT", "0")


@pytest.fixture
def fake() -> FakeCarrier:
    """Nodes that answer what the test says."""
    return FakeCarrier()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever has the lab runs snippets, each in a process of its own: that is slow."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def api() -> FakeApi:
    """An API server of dicts."""
    return FakeApi()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock that nobody waits for, in all modules that wait."""
    fake_clock = FakeClock()
    for module in (node, scenario):
        monkeypatch.setattr(module, "time", fake_clock)
    return fake_clock


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project: its folder, with what receipts take digests of."""
    for name in ("snippets/scenarios", "lab/provision", "lab/image/calico", "lab/image/kernel"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "lab/calico.py",
        "lab/kubeadm.py",
        "lab/noise.py",
        "lab/cluster.yaml",
        "lab/provision/node.sh",
        "lab/image/calico/go.sum",
        "lab/image/images.py",
        "lab/image/packages.txt",
    ):
        (tmp_path / name).write_text(f"{name}\n")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "lab")
    monkeypatch.setattr(paths, "SNIPPETS", tmp_path / "snippets")
    monkeypatch.setenv("LAB_STATE", str(tmp_path / ".lab"))
    freshness._shared.cache_clear()
    return tmp_path


@pytest.fixture
def write(project: Path) -> Write:
    """Write a file of the project and return its path."""

    def write_file(name: str, text: str) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def lab(project: Path, write: Write, fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """One chapter with one snippet, a scenario, and a lab that answers it."""
    made = Lab(project)
    monkeypatch.setenv("PYTHONPATH", made.python_path)
    monkeypatch.setattr(carriers, "connect", lambda: fake)
    monkeypatch.setattr(scenario, "apply", lambda name, carrier: made.events.append(f"apply {name}"))
    monkeypatch.setattr(scenario, "remove", lambda name, carrier: made.events.append(f"remove {name}"))
    monkeypatch.setattr(scenario, "present", lambda name, carrier: False)
    monkeypatch.setattr(course, "proof_for", lambda carrier: made.proof)
    # What takes seconds to import, no snippet of a test uses.
    monkeypatch.setattr(runner, "FEW", 100)
    write("snippets/scenarios/pods.yaml", "kind: Pod\n")
    write("snippets/demo/routes.py", ROUTE)
    made.on("node01", "ip route", stdout="default via 192.168.56.1 dev eth0\n")
    return made


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in for the API server, for the real client."""
    stand_in = StandIn()
    yield stand_in
    stand_in.close()
