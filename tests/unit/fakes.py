"""Stand-ins: nodes that answer what a test says, an API server of dicts, a clock that nobody waits for."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import objects, unchanged
from lab.api import Object, title
from lab.capture import Answer, Recorded
from lab.carriers import Completed
from lab.node import ENVIRONMENT
from lab.objects import Known
from lab.unchanged import Left, State


def alone(project: Path, call: str) -> list[str]:
    """The command line of a process that makes a call of `lab.runner` on a test's project, and says what it does.

    Args:
        project: What the fixture `project` made.
        call: Such as `update([])`.
    """
    program = (
        "import sys; from pathlib import Path\n"
        f"project = Path({str(project)!r})\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import fakes\n"
        "from lab import course, paths, runner, scenario\n"
        "course.proof_for = lambda carrier: fakes.FakeProof(project)\n"
        "paths.ROOT, paths.PACKAGE, paths.SNIPPETS = project, project / 'lab', project / 'snippets'\n"
        # Each in one piece: two threads speak.
        "scenario.apply = lambda name, carrier: print('applied\\n', end='', flush=True)\n"
        "scenario.remove = lambda name, carrier: print('removed\\n', end='', flush=True)\n"
        f"try: runner.{call}\nexcept KeyboardInterrupt: print('interrupted')\n"
    )
    return [sys.executable, "-c", program]


class FakeCarrier:
    """Nodes that know the answers they were given, and no others."""

    name = "fake"
    recorded: Recorded | None = None

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.entered = 0
        self._answers: dict[tuple[str, str], list[Completed]] = {}

    def on(
        self,
        node: str,
        command: str,
        *,
        stdout: str = "",
        stderr: str = "",
        status: int = 0,
        seconds: float = 0.01,
    ) -> None:
        """Answer a command; several answers come in turn, and the last one stays."""
        self._answers.setdefault((node, command), []).append(Completed(status, stdout, stderr, seconds))

    def execute(self, node: str, command: str, *, timeout: float = 30.0) -> Completed:
        """The next answer; a command that no test expects fails the test."""
        plain = command.removeprefix(ENVIRONMENT)
        self.asked.append((node, plain))
        if re.match(r"kill -[A-Z]+ -?\d+", plain):
            # Background commands really run here, so they can really be stopped.
            done = subprocess.run(["sh", "-c", plain], capture_output=True, text=True, check=False)
            return Completed(done.returncode, done.stdout, done.stderr, 0.0)
        answers = self._answers.get((node, plain))
        if not answers:
            raise AssertionError(f"no test expects `{plain}` on {node}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def ssh_command(self, node: str) -> list[str]:
        """The remote command runs here."""
        return ["sh", "-c"]

    def kubeconfig(self) -> Path:
        """There is none."""
        return Path("/nonexistent/kubeconfig")

    def enter(self) -> None:
        """Count that the network was entered."""
        self.entered += 1

    def versions(self) -> dict[str, str]:
        """Versions for a receipt."""
        return {"kubernetes": "v1.37.2", "linux": "6.12"}


class Memory:
    """Recorded answers, as replay has them."""

    def __init__(self, answers: list[Answer]) -> None:
        self.replies = {(answer.source, answer.where, answer.question): answer.reply for answer in answers}

    def recall(self, source: str, where: str, question: str) -> Any:
        """The reply; a question that no test expects fails the test."""
        assert (source, where, question) in self.replies, f"no test expects {source} `{question}` at {where}"
        return self.replies[source, where, question]

    def stand(self, scenario: str) -> None:
        """Keep what the questions are about."""
        self.scenario = scenario


class FakeProof:
    """A cluster whose state is the files of one folder: a snippet changes it by writing or removing one.

    Args:
        project: The folder `cluster` in it is the state.
    """

    def __init__(self, project: Path) -> None:
        self._folder = project / "cluster"
        self.looks: list[bool] = []

    def __enter__(self) -> "FakeProof":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def look(self, *, whole: bool) -> State:
        """The names of all files; those of objects only when asked for."""
        self.looks.append(whole)
        names = sorted(path.name for path in self._folder.glob("*"))
        nodes = {"node01": {"routes": [name for name in names if not name.startswith(("object", "Pod "))]}}
        made = {name.replace(":", "/"): Known("", "") for name in names if name.startswith(("object", "Pod "))}
        return State(nodes, made if whole else None)

    def left(self, before: State) -> list[Left]:
        """What is another now, without waiting."""
        after = self.look(whole=before.objects is not None)
        found = [Left(text) for text in unchanged.differences(before.nodes, after.nodes)]
        if before.objects is None or after.objects is None:
            return found
        changed = objects.differences(before.objects, after.objects)
        when = {path.name: path.stat().st_mtime for path in self._folder.glob("*")}
        return found + [Left(f"{name} {what}", when.get(name)) for name, what in changed.items()]


class FakeClock:
    """Stands for the module `time`: sleeping moves it on at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds on this clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.slept.append(seconds)
        self.now += seconds


class FakeApi:
    """An API server that keeps objects in a dict; `live` is what a controller adds to an applied one."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.live: dict[str, Object] = {}
        self.applied: list[Object] = []
        self.deleted: list[str] = []
        self.stubborn: set[str] = set()

    def add(self, item: Object) -> None:
        """Put an object there."""
        self.objects[title(item)] = item

    def apply(self, item: Object) -> None:
        """Keep it, with what a controller adds."""
        self.applied.append(item)
        self.objects[title(item)] = {**item, **self.live.get(title(item), {})}

    def get(self, item: Object) -> Object | None:
        """The object of that name."""
        return self.objects.get(title(item))

    def delete(self, item: Object) -> None:
        """Drop it, unless a test says that it does not go."""
        self.deleted.append(title(item))
        if title(item) not in self.stubborn:
            self.objects.pop(title(item), None)

    def find(self, api_version: str, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """By kind, namespace and labels."""
        return [item for item in self._of(selector) if item["kind"] == kind and _namespace(item) == namespace]

    def labelled(self, selector: str) -> list[Object]:
        """By labels."""
        return self._of(selector)

    def _of(self, selector: str) -> list[Object]:
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        return [item for item in self.objects.values() if wanted.items() <= item["metadata"].get("labels", {}).items()]


def _namespace(item: Object) -> str:
    return str(item["metadata"].get("namespace", "default"))


def pod(name: str = "pod2", *, node: str = "node01", address: str = "172.16.196.148", **more: Any) -> Object:
    """A pod as the API server gives it, Running and Ready."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **more.pop("metadata", {})},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
            **more.pop("status", {}),
        },
        **more,
    }


def eventually(condition: Any, seconds: float = 5.0) -> bool:
    """Whether a condition of the real world comes true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


ROUTE = '''"""The routes of a node."""
from lab import cluster

out = cluster.node("node01").run("ip route")
assert "default" in out.stdout
'''
PODS = ROUTE.replace("\nout", '\ncluster.needs("pods")\nout')

# The snippet's process loads this before anything else, and so finds the fake lab.
CHILD = """
import json, pathlib, sys
sys.path.insert(0, {tests!r})
import fakes
from lab import carriers, paths
paths.SNIPPETS = pathlib.Path({snippets!r})
fake = fakes.FakeCarrier()
for node, command, answer in json.load(open({answers!r})):
    fake.on(node, command, **answer)
carriers.connect = lambda: fake
"""


class Lab:
    """The fake lab as snippets' processes see it, and what happened to scenarios."""

    def __init__(self, project: Path) -> None:
        self.answers: list[tuple[str, str, dict[str, object]]] = []
        self.events: list[str] = []
        self.proof = FakeProof(project)
        self._path = project / "answers.json"
        child = project / "child"
        child.mkdir()
        places = {"tests": Path(__file__).parent, "answers": self._path, "snippets": project / "snippets"}
        text = CHILD.format(**{name: str(path) for name, path in places.items()})
        (child / "sitecustomize.py").write_text(text)
        self.python_path = os.pathsep.join([str(child), str(Path(__file__).parents[2])])

    def on(self, node: str, command: str, **answer: object) -> None:
        """Answer a command in the snippets' processes; a new answer replaces the old one."""
        self.answers = [old for old in self.answers if old[:2] != (node, command)]
        self.answers.append((node, command, answer))
        self._path.write_text(json.dumps(self.answers))
