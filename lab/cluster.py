"""The handle on the cluster that every snippet imports: `from lab import cluster`.

Importing it is cheap: the carrier, the clients and their packages are loaded
when a snippet first asks for them.
"""

import ast
import atexit
import linecache
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache, cached_property
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from lab.carriers import Carrier
from lab.errors import LabError
from lab.node import CommandResult, Node

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from kubernetes.client import ApiClient, CoreV1Api, CustomObjectsApi, DiscoveryV1Api

    from lab.api import Object
    from lab.pod import Pod
    from lab.spec import Spec


class Cluster:
    """The running cluster, or on replay its captures.

    ```python
    from lab import cluster

    for node in cluster.nodes:
        print(node.name, node.address)
        #> controlplane 192.168.56.10
        #> node01 192.168.56.11
        #> node02 192.168.56.12
    ```

    Args:
        connect: Gives the carrier of the running lab; for tests.
        load: Gives the description of the cluster; for tests.
    """

    def __init__(self, connect: Callable[[], Carrier] | None = None, load: "Callable[[], Spec] | None" = None) -> None:
        self._connect = connect
        self._load = load
        self._nodes: dict[str, Node] = {}
        self._applied: str | None = None
        self._turn = ExitStack()

    def needs(self, scenario: str) -> None:
        """Say which scenario this snippet needs; by hand, it is applied here and removed at the end.

        Args:
            scenario: Name of a file in `snippets/scenarios`, without `.yaml`. Must be a literal: the tools
                read it without running the snippet.

        Raises:
            LabError: There is no such scenario, or it did not become ready.
        """
        begin()
        ready = os.environ.get("LAB_SCENARIO")
        if ready is not None:
            if ready != scenario:
                raise LabError(
                    f"this snippet needs the scenario {scenario!r}, but it was started with {ready!r}",
                    hint="write cluster.needs with the name itself, so that it can be read without running",
                )
            return
        carrier = self.carrier
        if carrier.recorded is not None:
            carrier.recorded.stand(scenario)
            return
        from lab import scenario as scenarios

        if self._applied != scenario:
            self._leave()
        if scenarios.present(scenario, carrier):
            scenarios.wait_ready(scenario, carrier)
        else:
            self._stay(scenario)
            atexit.unregister(scenarios.remove)
            atexit.register(scenarios.remove, scenario, carrier)
            scenarios.apply(scenario, carrier)

    def _stay(self, scenario: str) -> None:
        """In a notebook, what a cell needs stays for the next ones, and keeps `lab verify` and the like out."""
        self._turn.close()
        shell = notebook_shell()
        if shell is not None:
            from lab.turn import turn

            self._turn.enter_context(turn())
            if self._make_room not in shell.events.callbacks["pre_run_cell"]:
                shell.events.register("pre_run_cell", self._make_room)
        self._applied = scenario

    def _make_room(self, cell: "ExecutionInfo") -> None:
        """A snippet that needs no scenario finds none, also in a notebook after one that did."""
        text = cell.raw_cell or ""
        if "from lab import cluster" in text and "cluster.needs(" not in text:
            self._leave()

    def _leave(self) -> None:
        """Remove what an earlier cell needed."""
        from lab import scenario as scenarios

        if self._applied is not None:
            atexit.unregister(scenarios.remove)
            left, self._applied = self._applied, None
            scenarios.remove(left, self.carrier)
            self._turn.close()

    def alone(self, why: str) -> None:
        """Say that this snippet alters the cluster, or shows all of it: nothing may run beside it.

        Args:
            why: What it does that others would see. Must be a literal: the tools read it without running the snippet.
        """

    def limit(self, seconds: int) -> None:
        """Say that this snippet may run longer than the usual 60 seconds.

        Args:
            seconds: At most 600. Must be a literal: the tools read it without running the snippet.
        """

    def proxy_mode(self, mode: str) -> AbstractContextManager[None]:
        """Another mode of kube-proxy while the block runs, on every node; afterwards the one before, whatever happens.

        Each of the two switches takes 10 to 30 s and is felt by all, so say `cluster.alone` and `cluster.limit`, too.

        Args:
            mode: `iptables`, `nftables` or `ipvs`.

        Raises:
            LabError: There is no such mode, or a node does not take it.
        """
        from lab import proxy_mode

        begin()
        proxy_mode.check(mode)
        # What is on record was said in that mode already.
        return nullcontext() if self.carrier.recorded is not None else proxy_mode.while_in(mode, self.carrier)

    def node(self, name: str) -> Node:
        """One node.

        Raises:
            LabError: There is no node of that name, or no lab is running.
        """
        begin()
        if name not in self._nodes:
            spec = self._spec.node(name)
            self._nodes[name] = Node(name, self.carrier, address=spec.address)
        return self._nodes[name]

    @property
    def nodes(self) -> list[Node]:
        """All nodes, in the order of cluster.yaml."""
        return [self.node(spec.name) for spec in self._spec.nodes]

    def pod(self, name: str, namespace: str = "default") -> "Pod":
        """One pod; it is looked up when its node, its address or its network is first asked for."""
        from lab.pod import Pod

        begin()
        return Pod(name, namespace, self)

    def place(self, namespace: str) -> str:
        """The namespace that the book calls so: on a cluster of the reader's own, `default` is the lab's own."""
        from lab import carriers

        own = carriers.own_cluster(self.carrier) if namespace == "default" else None
        return own.namespace if own else namespace

    def kubectl(self, command: str, *, status: int = 0, timeout: float = 30.0) -> CommandResult:
        """Run kubectl on the control plane's node and show it.

        Args:
            command: What follows `kubectl`, such as `get pods -o wide`.
            status: The exit status that means success.
            timeout: Seconds before it is stopped.

        Raises:
            CommandError: It ended with another status.
        """
        name = self._spec.control_plane.name
        return self.node(name).run(f"kubectl {command}", status=status, timeout=timeout)

    def read(self, path: str) -> "Object | None":
        """An object as the API server has it, without loading a client's types; None when there is none.

        ```python
        from lab import cluster

        found = cluster.read("/api/v1/namespaces/default/pods/pod2")
        print(found["spec"]["nodeName"], found["status"]["podIP"])
        #> node01 172.16.196.148
        ```

        Args:
            path: Such as `/api/v1/namespaces/default/pods/pod2`.

        Raises:
            LabError: The API server refused or does not answer.
        """
        from lab.api import read

        begin()
        return read(self.carrier.recorded, lambda: self._api, path)

    @cached_property
    def core(self) -> "CoreV1Api":
        """A client for pods, Services, nodes."""
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._api)

    @cached_property
    def custom_objects(self) -> "CustomObjectsApi":
        """A client for custom resources, such as Calico's."""
        from kubernetes.client import CustomObjectsApi

        return CustomObjectsApi(self._api)

    @cached_property
    def discovery(self) -> "DiscoveryV1Api":
        """A client for EndpointSlices."""
        from kubernetes.client import DiscoveryV1Api

        return DiscoveryV1Api(self._api)

    @cached_property
    def _api(self) -> "ApiClient":
        from lab.api import recorded_client

        begin()
        return recorded_client(self.carrier)

    @cached_property
    def carrier(self) -> Carrier:
        """What carries the nodes; connected to when it is first asked for.

        Raises:
            LabError: No lab is running, or the captures that were asked for are not there.
        """
        from lab import carriers

        carrier = (self._connect or carriers.connect)()
        if carrier.recorded is None and main_snippet() is not None and "LAB_RECORD" not in os.environ:
            _take_turn()
        # First of all: an ordinary user's process can only enter while it has one thread.
        carrier.enter()
        return carrier

    @cached_property
    def _spec(self) -> "Spec":
        from lab import carriers
        from lab.spec import load_spec

        # Asking for the carrier is to connect; on all others the book's nodes are known without it.
        if self._load is None and carriers.chosen() == "attached":
            return carriers.spec_of(self.carrier)
        return (self._load or load_spec)()


cluster = Cluster()


def notebook_shell() -> "InteractiveShell | None":
    """What runs the cells, in a notebook; None anywhere else."""
    ipython = sys.modules.get("IPython")
    shell: InteractiveShell | None = ipython.get_ipython() if ipython else None
    return shell


@cache
def begin() -> None:
    """Take the options of a snippet that runs by hand.

    From here on, its failure ends with a message about its line, not with a traceback.
    """
    if main_snippet() is None:
        return
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = explain
    name = carrier_option(sys.argv[1:])
    if name:
        os.environ["LAB_CARRIER"] = name
    from lab import carriers

    if "LAB_RECORD" not in os.environ and carriers.chosen() == "attached":
        # Its text must be in that cluster's words first, which `lab run` sees to.
        script = str(main_snippet())
        os.execv(sys.executable, [sys.executable, "-c", "from lab.cli import main; main()", "run", script])


def carrier_option(words: list[str]) -> str | None:
    """The name in `--carrier NAME`, the one option that every snippet has; None without it.

    Raises:
        LabError: There is something else on the command line.
    """
    match words:
        case []:
            return None
        case ["--carrier", name]:
            return name
        case [word] if word.startswith("--carrier="):
            return word.removeprefix("--carrier=")
    raise LabError(
        f"a snippet takes no `{' '.join(words)}`",
        hint="its one option is `--carrier NAME`; `--carrier replay` needs no lab",
    )


def _take_turn() -> None:
    """Keep `lab run, update and verify` and other snippets out until this process ends."""
    from lab.turn import turn

    taken = ExitStack()
    taken.enter_context(turn())
    # What is registered later, the removal of a scenario, happens before.
    atexit.register(taken.close)


def main_snippet() -> Path | None:
    """The snippet that this process was started with; None for any other program."""
    from lab import paths

    main = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(main).resolve() if main else None
    return path if path and path.is_relative_to(paths.SNIPPETS.resolve()) else None


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a snippet's failure: the line, and why; other errors keep their traceback."""
    frame = _last_frame_of_snippet(trace)
    if frame is None or not isinstance(error, (LabError, AssertionError)):
        sys.__excepthook__(kind, error, trace)
        return
    path, (first, source) = Path(frame.f_code.co_filename), _statement(trace, frame)
    place = f"{path.parent.name}/{path.name}, line {first}"
    print(f"{place}:\n" + "\n".join(f"  {line}" for line in source.splitlines()), file=sys.stderr)
    if isinstance(error, AssertionError):
        print(f"this does not hold{': ' + str(error) if str(error) else ''}", file=sys.stderr)
        for text, value in _values(source, frame):
            print(f"  {text} is {value}", file=sys.stderr)
    else:
        print(str(error), file=sys.stderr)


def _last_frame_of_snippet(trace: TracebackType | None) -> FrameType | None:
    main = main_snippet()
    found = None
    while trace is not None:
        if main and Path(trace.tb_frame.f_code.co_filename).resolve() == main:
            found = trace.tb_frame
        trace = trace.tb_next
    return found


def _statement(trace: TracebackType | None, frame: FrameType) -> tuple[int, str]:
    """First line number and text of the statement that failed."""
    line = 0
    while trace is not None:
        if trace.tb_frame is frame:
            line = trace.tb_lineno
        trace = trace.tb_next
    text = "".join(linecache.getlines(frame.f_code.co_filename))
    found = (line, linecache.getline(frame.f_code.co_filename, line).strip())
    for node in ast.walk(ast.parse(text)):
        # The innermost statement wins: it comes last on this walk from outside to inside.
        simple = isinstance(node, ast.stmt) and not hasattr(node, "body")
        if simple and node.lineno <= line <= (node.end_lineno or 0):  # type: ignore[attr-defined]
            found = (node.lineno, ast.get_source_segment(text, node) or found[1])  # type: ignore[attr-defined]
    return found


def _values(source: str, frame: FrameType) -> list[tuple[str, str]]:
    """The names in a failed assertion and what they stand for."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Name, ast.Attribute)) or id(node) in called | inner:
            continue
        text = ast.unparse(node)
        try:
            value = eval(text, frame.f_globals, frame.f_locals)
        except Exception:  # a comprehension's own name, or a property that fails again
            continue
        if not callable(value):
            found[text] = _short(value)
    return list(found.items())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
