"""The handle that snippets import, and how a failing snippet ends."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakeCarrier, Memory

from lab import paths
from lab.errors import LabError
from lab.spec import load_spec
from lab.turn import turn

# `lab.cluster` names the handle once `lab` is imported, so the module is asked for by its full name.
cluster_module = importlib.import_module("lab.cluster")
Cluster = cluster_module.Cluster

Write = Callable[[str, str], Path]


def test_nodes_come_in_the_order_of_the_description(fake: FakeCarrier) -> None:
    """All nodes, with their addresses."""
    handle = Cluster(connect=lambda: fake)
    assert [(node.name, node.address) for node in handle.nodes] == [
        (spec.name, spec.address) for spec in load_spec().nodes
    ]


def test_a_node_is_the_same_object_each_time(fake: FakeCarrier) -> None:
    """Its netlink connection is kept."""
    handle = Cluster(connect=lambda: fake)
    assert handle.node("node01") is handle.node("node01")
    assert fake.entered == 1


def test_an_unknown_node_names_the_known_ones(fake: FakeCarrier) -> None:
    """A typing mistake is told at once."""
    with pytest.raises(LabError, match="there is no node 'node1'") as caught:
        Cluster(connect=lambda: fake).node("node1")
    assert "node01" in caught.value.hint


def test_kubectl_runs_on_the_control_plane(fake: FakeCarrier, capsys: pytest.CaptureFixture[str]) -> None:
    """The prompt and the command are those that a reader would use."""
    fake.on("controlplane", "kubectl get pods -o wide", stdout="No resources found\n")
    Cluster(connect=lambda: fake).kubectl("get pods -o wide")
    assert capsys.readouterr().out == "controlplane$ kubectl get pods -o wide\nNo resources found\n"


def test_needs_trusts_the_runner(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the runner the scenario is there already: nothing is asked."""
    monkeypatch.setenv("LAB_SCENARIO", "pods")
    Cluster(connect=lambda: fake).needs("pods")
    assert fake.asked == [] and fake.entered == 0


def test_needs_that_could_not_be_read_is_refused(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario that the runner did not see is an error."""
    monkeypatch.setenv("LAB_SCENARIO", "")
    with pytest.raises(LabError, match="needs the scenario 'pods'"):
        Cluster(connect=lambda: fake).needs("pods")


def test_needs_by_hand_applies_and_removes(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand the scenario is applied here, and removed at the end only if it was not there before."""
    from lab import scenario

    calls: list[str] = []
    monkeypatch.delenv("LAB_SCENARIO", raising=False)
    monkeypatch.setattr(scenario, "present", lambda name, carrier: name == "there")
    monkeypatch.setattr(scenario, "wait_ready", lambda name, carrier: calls.append(f"wait {name}"))
    monkeypatch.setattr(scenario, "apply", lambda name, carrier: calls.append(f"apply {name}"))
    monkeypatch.setattr("atexit.register", lambda do, name, carrier: calls.append(f"later {do.__name__} {name}"))
    handle = Cluster(connect=lambda: fake)
    handle.needs("there")
    handle.needs("pods")
    assert calls == ["wait there", "later remove pods", "apply pods"]


def test_needs_on_replay_applies_nothing(fake: FakeCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers are those of a cluster in which the scenario stood."""
    monkeypatch.delenv("LAB_SCENARIO", raising=False)
    fake.recorded = Memory([])
    Cluster(connect=lambda: fake).needs("no such scenario")
    assert fake.asked == []
    assert fake.recorded.scenario == "no such scenario"


@pytest.mark.parametrize(
    ("words", "name"),
    [([], None), (["--carrier", "replay"], "replay"), (["--carrier=uml"], "uml")],
    ids=["none", "two words", "one word"],
)
def test_a_snippet_takes_a_carrier(words: list[str], name: str | None) -> None:
    """The one option that every snippet has, without a line of its own for it."""
    assert cluster_module.carrier_option(words) == name


@pytest.mark.parametrize("words", [["--carier", "replay"], ["--carrier"], ["replay"], ["--carrier", "replay", "x"]])
def test_anything_else_is_refused(words: list[str]) -> None:
    """A typing mistake never runs on the wrong carrier."""
    with pytest.raises(LabError, match="a snippet takes no") as caught:
        cluster_module.carrier_option(words)
    assert "--carrier replay" in caught.value.hint


def test_an_unknown_carrier_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it came from the command line or from the environment."""
    monkeypatch.setenv("LAB_CARRIER", "rewind")
    with pytest.raises(LabError, match="there is no carrier 'rewind'") as caught:
        Cluster().node("node01")
    assert all(f"{name}: " in caught.value.detail for name in ("uml", "replay"))
    assert "LAB_CARRIER" in caught.value.hint


@pytest.fixture
def scenarios(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of scenarios, none of which is there; and no clean-up is left for the end of the tests."""
    from lab import scenario

    calls: list[str] = []
    monkeypatch.delenv("LAB_SCENARIO", raising=False)
    monkeypatch.setattr(scenario, "present", lambda name, carrier: False)
    for verb in ("apply", "remove"):
        monkeypatch.setattr(scenario, verb, lambda name, carrier, verb=verb: calls.append(f"{verb} {name}"))
    monkeypatch.setattr("atexit.register", lambda *_: None)
    return calls


def test_another_scenario_in_the_same_process_takes_the_place(fake: FakeCarrier, scenarios: list[str]) -> None:
    """A notebook's cells run in one process; each finds what it needs and nothing else."""
    handle = Cluster(connect=lambda: fake)
    handle.needs("pods")
    handle.needs("services")
    assert scenarios == ["apply pods", "remove pods", "apply services"]


def test_the_import_is_light() -> None:
    """A snippet starts at once: nothing but this package and Python's own is loaded by the import."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from lab import cluster\n"
        "found = {name.partition('.')[0] for name in sys.modules.keys() - before}\n"
        "print(*sorted(found - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=paths.ROOT)
    assert done.stdout.split() == ["lab"]


def run_snippet(path: Path, root: Path, *words: str, prelude: str = "") -> subprocess.CompletedProcess[str]:
    """Run a file of a project by hand, its folder being the project's snippets."""
    (path.parent / "sitecustomize.py").write_text(
        f"from lab import paths; import pathlib; paths.SNIPPETS = pathlib.Path({str(root)!r}) / 'snippets'\n{prelude}"
    )
    places = [str(path.parent), str(Path(__file__).parents[2])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "LAB_SCENARIO": "pods"}
    environment.pop("LAB_RECORD", None)
    command = [sys.executable, str(path), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_wrong_option_is_one_message(write: Write, project: Path) -> None:
    """Also for a snippet that runs by hand."""
    path = write("snippets/demo/any.py", 'from lab import cluster\ncluster.node("node01")\n')
    for words, told in (
        (["--carier", "replay"], "a snippet takes no `--carier replay`"),
        (["--carrier", "x"], "no carrier 'x'"),
    ):
        done = run_snippet(path, project, *words)
        assert done.returncode == 1
        assert told in done.stderr and "Traceback" not in done.stderr


FAKE_LAB = """
import sys
sys.path.insert(0, {tests!r})
import fakes
from lab import carriers
fake = fakes.FakeCarrier()
fake.on("node01", "ip route", stdout="default\\n")
carriers.connect = lambda: fake
"""


def test_a_snippet_by_hand_takes_its_turn(write: Write, project: Path) -> None:
    """It would see, or remove, the scenario of a `lab update` that runs at the same time."""
    path = write("snippets/demo/any.py", 'from lab import cluster\ncluster.node("node01").run("ip route")\n')
    prelude = FAKE_LAB.format(tests=str(Path(__file__).parent))
    with turn():
        done = run_snippet(path, project, prelude=prelude)
    assert done.stdout == "" and "are being run already" in done.stderr
    done = run_snippet(path, project, prelude=prelude)
    assert (done.stdout, done.stderr) == ("node01$ ip route\ndefault\n", "")


def test_a_snippet_on_replay_needs_no_turn(write: Write, project: Path) -> None:
    """Nothing that it does can disturb anybody."""
    path = write("snippets/demo/any.py", 'from lab import cluster\ncluster.node("node01").run("ip route")\n')
    prelude = FAKE_LAB.format(tests=str(Path(__file__).parent)) + "fake.recorded = fakes.Memory([])\n"
    with turn():
        assert run_snippet(path, project, prelude=prelude).returncode == 0


def test_a_failing_assertion_shows_its_values(write: Write, project: Path) -> None:
    """The line, the statement and what the names stood for; no traceback through `lab`."""
    path = write(
        "snippets/demo/wrong.py",
        "from types import SimpleNamespace\nfrom lab import cluster\n"
        'cluster.needs("pods")\nroute = SimpleNamespace(dev="eth0")\n'
        'for wanted in ["cali1"]:\n    assert route.dev == (\n        wanted\n    )\n',
    )
    done = run_snippet(path, project)
    assert done.returncode == 1
    assert done.stderr == (
        "demo/wrong.py, line 6:\n  assert route.dev == (\n          wanted\n      )\n"
        "this does not hold\n  route.dev is 'eth0'\n  wanted is 'cali1'\n"
    )


def test_a_lab_error_shows_its_line(write: Write, project: Path) -> None:
    """What failed, and which line asked for it."""
    path = write(
        "snippets/demo/bad.py",
        'from lab import cluster\n\ncluster.needs("services")\n',
    )
    done = run_snippet(path, project)
    assert done.stderr.startswith('demo/bad.py, line 3:\n  cluster.needs("services")\nthis snippet needs')
    assert "Traceback" not in done.stderr
