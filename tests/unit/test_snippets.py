"""Snippets are found and read without running them; faults are told all at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import snippets
from lab.errors import LabError

Write = Callable[[str, str], Path]

GOOD = '''"""The node's route to one pod."""
from lab import cluster

cluster.needs("pods")
out = cluster.node("node01").run("ip route")
assert out.lines
'''


@pytest.fixture(autouse=True)
def tree(write: Write) -> None:
    """Two chapters with three snippets, and one scenario."""
    write("snippets/scenarios/pods.yaml", "kind: Pod\n")
    write("snippets/pod_to_pod/pod_route.py", GOOD)
    write("snippets/pod_to_pod/veth_pair.py", GOOD.replace('cluster.needs("pods")\n', ""))
    write("snippets/services/nat_chain.py", GOOD)


def names(*wanted: str) -> list[str]:
    """The names of the snippets that these names mean."""
    return [snippet.name for snippet in snippets.select(wanted)]


def test_all_snippets_in_order() -> None:
    """Sorted by name; scenarios are not a chapter."""
    assert names() == ["pod_to_pod/pod_route", "pod_to_pod/veth_pair", "services/nat_chain"]


def test_what_is_read(project: Path) -> None:
    """Title, scenario and the files beside it."""
    snippet = snippets.find("pod_to_pod/pod_route")
    assert (snippet.title, snippet.scenario) == ("The node's route to one pod.", "pods")
    assert snippet.out == project / "snippets/pod_to_pod/pod_route.out"
    assert snippet.receipt == project / "snippets/pod_to_pod/pod_route.json"
    assert (str(snippet), snippet.chapter, snippet.faults) == ("pod_to_pod/pod_route", "pod_to_pod", ())
    assert snippets.find("pod_to_pod/veth_pair").scenario is None


def test_alone_and_limit_are_read(write: Write) -> None:
    """Literals at the top of the file; without them a snippet is like any other."""
    plain = snippets.find("pod_to_pod/pod_route")
    assert (plain.alone, plain.limit) == (None, 60)
    more = 'cluster.alone("stops kube-proxy")\ncluster.limit(120)\n'
    other = snippets.read(write("snippets/pod_to_pod/pod_route.py", GOOD + more))
    assert (other.alone, other.limit, other.faults) == ("stops kube-proxy", 120, ())


@pytest.mark.parametrize(
    "name",
    [
        "pod_to_pod/pod_route",
        "pod_route",
        "pod-to-pod/pod-route",
        "snippets/pod_to_pod/pod_route.py",
        "./snippets/pod_to_pod/pod_route.out",
    ],
)
def test_ways_to_name_a_snippet(name: str) -> None:
    """As printed, as on the page, as a shell completes it."""
    assert names(name) == ["pod_to_pod/pod_route"]


def test_an_absolute_path_names_a_snippet(project: Path) -> None:
    """An editor gives whole paths."""
    assert names(str(project / "snippets/pod_to_pod/pod_route.py")) == ["pod_to_pod/pod_route"]


def test_a_chapter_means_all_its_snippets() -> None:
    """And a snippet that is named twice is run once."""
    assert names("pod_to_pod", "pod_to_pod/pod_route") == ["pod_to_pod/pod_route", "pod_to_pod/veth_pair"]


@pytest.mark.parametrize(
    ("name", "summary", "hint"),
    [
        (
            "pod_to_pod/pod_rout",
            "there is no snippet 'pod_to_pod/pod_rout'",
            "did you mean pod_to_pod/pod_route",
        ),
        ("services/pod_route", "there is no snippet 'services/pod_route'", "pod_to_pod/pod_route"),
        ("service", "there is no snippet or chapter 'service'", "did you mean services"),
        ("zzz", "there is no snippet or chapter 'zzz'", "the chapters are: pod_to_pod, services"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, summary: str, hint: str) -> None:
    """A typing mistake is told with what was probably meant."""
    with pytest.raises(LabError) as caught:
        snippets.select([name])
    assert caught.value.summary == summary
    assert hint in caught.value.hint


def test_a_name_of_two_snippets_is_refused(write: Write) -> None:
    """A plain name works only while one chapter has it."""
    write("snippets/services/pod_route.py", GOOD)
    with pytest.raises(LabError, match="pod_route is the name of 2 snippets") as caught:
        snippets.select(["pod_route"])
    assert caught.value.hint == "say which: pod_to_pod/pod_route, services/pod_route"


def test_one_snippet_is_wanted() -> None:
    """Where one is needed a chapter does not do."""
    with pytest.raises(LabError, match="pod_to_pod is a chapter of 2 snippets"):
        snippets.find("pod_to_pod")


@pytest.mark.parametrize("name", ["pod_to_pod/pod-route", "pod_to_pod/Pod_route", "Pod_to_pod/pod_route"])
def test_two_files_with_one_name(write: Write, name: str) -> None:
    """A page has dashes where a file has underscores, and some disks do not tell cases apart: both would be one."""
    write(f"snippets/{name}.py", GOOD)
    with pytest.raises(LabError, match="two snippets have the name pod_to_pod/pod_route") as caught:
        snippets.discover()
    assert f"{name}.py" in caught.value.detail and "pod_to_pod/pod_route.py" in caught.value.detail
    assert caught.value.hint == "rename one of them"


@pytest.mark.parametrize("name", ["snippets/alone.py", "snippets/pod_to_pod/deep/er.py"])
def test_a_file_outside_a_chapter(write: Write, name: str) -> None:
    """Every snippet has one chapter."""
    write(name, GOOD)
    with pytest.raises(LabError, match="is not in a chapter"):
        snippets.discover()


def test_orphans(write: Write) -> None:
    """A capture whose snippet is gone is found."""
    gone = write("snippets/services/gone.out", "x\n")
    write("snippets/services/nat_chain.out", "x\n")
    assert snippets.orphans() == [gone]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("def f(:\n", "line 1: this is not Python: invalid syntax"),
        (GOOD.replace('"""The node\'s route to one pod."""\n', ""), "line 1: begins with no docstring"),
        (GOOD.replace("assert out.lines\n", ""), "it asserts nothing"),
        (GOOD.replace("assert out.lines", "assert True"), "it asserts nothing"),
        (GOOD.replace("assert out.lines", 'assert (out.lines, "always true")'), "it asserts nothing"),
        (GOOD.replace('needs("pods")', 'needs("po" + "ds")'), "line 4: cluster.needs takes one literal"),
        (GOOD.replace('needs("pods")', 'needs(name="pods")'), "line 4: cluster.needs takes one literal"),
        (GOOD.replace('needs("pods")', 'needs("pots")'), "line 4: there is no scenario 'pots'; there"),
        (GOOD.replace("from lab", 'cluster.needs("pods")\nfrom lab'), "line 5: cluster.needs is called"),
        (GOOD + 'cluster.alone("")\n', "line 7: cluster.alone takes one literal reason"),
        (GOOD + "cluster.alone()\n", "line 7: cluster.alone takes one literal reason"),
        (GOOD + 'if out:\n    cluster.alone("x")\n', "line 8: cluster.alone must be a line of its own"),
        (GOOD + 'cluster.limit("9")\n', "line 7: cluster.limit takes one literal number of seconds"),
        (GOOD + "cluster.limit(60)\n", "line 7: cluster.limit takes more than 60 and at most 600 seconds"),
        (GOOD + "cluster.limit(601)\n", "line 7: cluster.limit takes more than 60 and at most 600 seconds"),
        (GOOD + f"# {'x' * 80}\n", "line 7: has 82 columns, a page shows 72"),
        (GOOD + "\n" * 40, "it has 46 lines, a reader takes 40"),
    ],
    ids=[
        "syntax", "docstring", "assert", "constant", "tuple", "needs-expression", "needs-keyword", "scenario",
        "twice", "alone-empty", "alone-nothing", "alone-inside", "limit-text", "limit-low", "limit-high", "columns",
        "lines",
    ],
)  # fmt: skip
def test_faults_are_named(write: Write, text: str, fault: str) -> None:
    """What is wrong, and in which line."""
    snippet = snippets.read(write("snippets/pod_to_pod/pod_route.py", text))
    assert len(snippet.faults) == 1
    assert snippet.faults[0].startswith(fault)
    with pytest.raises(LabError, match="pod_to_pod/pod_route cannot be run"):
        snippet.check()


@pytest.mark.parametrize(
    ("name", "fault"),
    [("socket", "the name 'socket' is a Python module's"), ("Pod", "the name 'Pod' must be lower-case")],
)
def test_names_that_cannot_be(write: Write, name: str, fault: str) -> None:
    """A snippet must not hide a module from itself."""
    snippet = snippets.read(write(f"snippets/pod_to_pod/{name}.py", GOOD))
    assert snippet.faults[0].startswith(fault)


def test_a_file_that_is_no_text(project: Path) -> None:
    """Bytes that are not UTF-8 are a fault, not a traceback."""
    path = project / "snippets/services/nat_chain.py"
    path.write_bytes(b'"""\xff"""\n')
    assert snippets.read(path).faults[0].startswith("this is not Python")


def test_all_faults_at_once(write: Write) -> None:
    """Nobody mends a file line by line."""
    snippet = snippets.read(write("snippets/pod_to_pod/pod_route.py", "x = 1\n"))
    assert len(snippet.faults) == 2


def test_the_books_own_snippets_have_no_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed can be run."""
    monkeypatch.undo()
    assert {snippet.name: snippet.faults for snippet in snippets.discover() if snippet.faults} == {}
