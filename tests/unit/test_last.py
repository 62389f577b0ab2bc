"""What snippets printed last: all of it, also what the comparison leaves out, and never a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import ROUTE, Lab

from lab import last, runner, snippets
from lab.errors import LabError

Write = Callable[[str, str], Path]

PING = ROUTE.replace('"ip route"', '"ping -c 1 x"').replace("default", "ttl")
TOKEN = "q1w2e3.r4t5y6u7i8o9p0aa"


@pytest.fixture
def ping(lab: Lab, write: Write) -> Lab:
    """A captured snippet whose answer has noise in it: a time."""
    write("snippets/demo/routes.py", PING)
    lab.on("node01", "ping -c 1 x", stdout="reply ttl=62 time=0.5 ms\n")
    runner.update([])
    return lab


@pytest.fixture
def file(project: Path) -> Path:
    """Where its last transcript is."""
    return project / ".lab/last/demo/routes.out"


def test_what_the_comparison_leaves_out_is_kept(ping: Lab, project: Path, file: Path) -> None:
    """The noise of today; the capture stays, and the next run replaces what was kept."""
    before = (project / "snippets/demo/routes.out").read_bytes()
    for time in ("0.9", "1.7"):
        ping.on("node01", "ping -c 1 x", stdout=f"reply ttl=62 time={time} ms\n")
        assert runner.verify([]).unchanged == ["demo/routes"]
        assert file.read_text() == f"node01$ ping -c 1 x\nreply ttl=62 time={time} ms\n"
    assert (project / "snippets/demo/routes.out").read_bytes() == before


def test_a_difference_says_where_all_of_it_is(ping: Lab, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the lines that differ."""
    ping.on("node01", "ping -c 1 x", stdout="reply ttl=61 time=0.9 ms\n")
    assert runner.verify([]).changed == ["demo/routes"]
    assert "all that it printed: .lab/last/demo/routes.out\naccept it with:" in capsys.readouterr().out
    assert "ttl=61 time=0.9" in file.read_text()


def test_what_a_failing_snippet_showed_is_kept(ping: Lab, file: Path) -> None:
    """Until it failed."""
    ping.on("node01", "ping -c 1 x", stdout="no reply\n")
    assert runner.verify([]).failed == ["demo/routes"]
    assert file.read_text() == "node01$ ping -c 1 x\nno reply\n"


def test_what_does_not_run_leaves_nothing_old(ping: Lab, file: Path, write: Write) -> None:
    """A transcript of yesterday would be taken for one of today."""
    runner.verify([])
    assert file.exists()
    write("snippets/demo/routes.py", PING + "def f(:\n")
    assert runner.verify([]).failed == ["demo/routes"]
    assert not file.exists()


SECRET = {
    "shown": f"cluster.node('node01').run('cat {TOKEN}')\n",
    "quiet": f"cluster.node('node01').quiet('cat {TOKEN}')\n",
    "asked by the lab": f"cluster.node('node01').ask('cat {TOKEN}')\n",
    "before a failure": f"cluster.node('node01').run('cat {TOKEN}')\nassert not out.lines\n",
}


@pytest.mark.parametrize("more", SECRET.values(), ids=SECRET.keys())
def test_no_secret_is_kept(ping: Lab, project: Path, file: Path, write: Write, more: str) -> None:
    """Where no capture would be written, the file says only why; what was there before is gone."""
    runner.verify([])
    ping.on("node01", f"cat {TOKEN}", stdout=f"{TOKEN}\n")
    write("snippets/demo/routes.py", PING + more)
    runner.verify([])
    said = file.read_text()
    assert said.startswith("# not kept: routes.") and said.endswith(" would hold a bootstrap token\n")
    kept = [path for path in (project / ".lab").rglob("*") if path.is_file()]
    assert file in kept and not [path for path in kept if TOKEN.encode() in path.read_bytes()]


def test_a_full_disk_is_one_message(ping: Lab, file: Path) -> None:
    """Who, why, and the next command."""
    snippet = snippets.find("routes")
    run = runner.execute(snippet)
    file.parent.parent.mkdir(parents=True, exist_ok=True)
    file.parent.write_text("in the way")
    with pytest.raises(LabError, match="demo/routes: what it printed cannot be kept: File exists") as caught:
        last.keep(snippet, run)
    assert "df -h" in caught.value.hint
