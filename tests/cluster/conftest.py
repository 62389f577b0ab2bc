"""The real lab of this checkout, and a second one in a folder of its own."""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress

import pytest
from harness import Lab, look

from lab.carriers.uml import UmlCarrier
from lab.errors import LabError


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what wants a second lab last: the first one is down from then on."""
    items.sort(key=lambda item: "second" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test's report tells how its nodes are: in CI there is no lab to look at afterwards."""
    report = yield
    if report.failed:
        with suppress(LabError):
            report.sections.append(("nodes", look(UmlCarrier.running())))
    return report


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """This checkout's lab, up; afterwards as it was before."""
    here = Lab()
    was_up = here.status()["phase"] == "ready"
    here("up", timeout=1200 if was_up else 5400)
    yield here
    here("up" if was_up else "down", timeout=1200)


@pytest.fixture(scope="session")
def carrier(lab: Lab) -> UmlCarrier:
    """The nodes of this checkout's lab."""
    return UmlCarrier.running()


@pytest.fixture
def on(carrier: UmlCarrier) -> Callable[..., str]:
    """Run a command on a node of the first lab."""

    def run(node: str, command: str, *, status: int = 0, timeout: float = 60) -> str:
        done = carrier.execute(node, command, timeout=timeout)
        assert done.status == status, f"{node}: {command} exited {done.status}: {done.stdout}{done.stderr}"
        return done.stdout

    return run
