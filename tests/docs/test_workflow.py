"""The workflow does what it says: its lines exist, its logs are kept, one red answer does not silence the others."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lab.cli import main
from lab.spec import load_spec

ROOT = Path(__file__).parents[2]
JOBS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text())["jobs"]
START = r"(?:^|&&|\|\||;|\|)\s*(?:[A-Z_]+=\S+ +)*"
"""Where a command begins in a line of the shell."""
MAKE = re.compile(START + r"make +([a-z-]+)", re.M)
TOOL = re.compile(START + r"\.venv/bin/lab +([a-z-]+)([^&|;\n]*)", re.M)
PYTEST = re.compile(START + r"\.venv/bin/pytest +([^&|;\n]*)", re.M)


def steps(job: str) -> list[dict[str, Any]]:
    """A job's steps."""
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def lines(job: str) -> str:
    """All that a job runs."""
    return "\n".join(step["run"] for step in steps(job) if "run" in step)


def uses(job: str, action: str) -> list[dict[str, Any]]:
    """A job's steps that are of an action, in any version."""
    return [step for step in steps(job) if step.get("uses", "").split("@")[0] == action]


LAB_JOBS = [job for job in JOBS if MAKE.search(lines(job)) or TOOL.search(lines(job))]
"""The jobs that build nodes or start them."""


def test_there_are_jobs_that_use_the_lab() -> None:
    """What is asked below is asked of these; a job whose lines nobody recognizes would be asked nothing."""
    assert LAB_JOBS == ["test", "verify", "vagrant"]


@pytest.mark.parametrize("job", LAB_JOBS)
def test_every_line_of_make_is_in_the_makefile(job: str) -> None:
    """CI runs what everybody can run."""
    wanted = set(MAKE.findall(lines(job)))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert wanted and wanted <= targets


def test_every_command_and_option_of_lab_exists() -> None:
    """A word that `lab` does not know would be noticed a week later."""
    asked = [found for job in LAB_JOBS for found in TOOL.findall(lines(job))]
    assert {name for name, _ in asked} == {"build", "verify", "stale"}
    for name, rest in asked:
        known = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert isinstance(main.commands[name], click.Command)
        assert {word for word in rest.split() if word.startswith("-")} <= known, name


def test_every_test_file_exists() -> None:
    """And is asked for all, where it draws lots otherwise."""
    files = {word for job in LAB_JOBS for rest in PYTEST.findall(lines(job)) for word in rest.split() if "/" in word}
    assert files == {"tests/cluster/test_notebooks.py", "tests/cluster/test_check.py"}
    assert all((ROOT / file).is_file() for file in files)
    assert {"LAB_NOTEBOOKS=all", "LAB_FAULTS=all"} <= set(lines("verify").split())


@pytest.mark.parametrize("job", LAB_JOBS)
def test_logs_are_uploaded_always(job: str) -> None:
    """Above all when it went wrong; under a name that no other job has."""
    (upload,) = uses(job, "actions/upload-artifact")
    assert upload["if"] == "always()"
    wanted = {"~/.cache/living-book/products/logs", ".lab/vagrant/logs" if job == "vagrant" else ".lab/logs"}
    assert wanted <= set(upload["with"]["path"].split())
    # Without it nothing below a folder whose name begins with a dot is uploaded.
    assert upload["with"]["include-hidden-files"] is True
    names = [each["with"]["name"] for other in LAB_JOBS for each in uses(other, "actions/upload-artifact")]
    assert len(set(names)) == len(names)
    assert steps(job).index(upload) > max(
        number for number, step in enumerate(steps(job)) if MAKE.search(step.get("run", ""))
    )


@pytest.mark.parametrize("job", LAB_JOBS)
def test_what_was_built_is_kept_whatever_the_tests_say(job: str) -> None:
    """Restored first, saved as soon as it is built; what is not whole never under the name of what is."""
    (restore,) = uses(job, "actions/cache/restore")
    (save,) = uses(job, "actions/cache/save")
    assert not uses(job, "actions/cache")
    assert save["if"] == "always() && steps.products.outputs.cache-hit != 'true'"
    assert save["with"]["path"] == restore["with"]["path"]
    order = [steps(job).index(restore), [step.get("id") for step in steps(job)].index("build"), steps(job).index(save)]
    assert order == sorted(order) and order[2] == order[1] + 1
    assert "steps.build.outcome != 'success' && format('-part-" in save["with"]["key"]
    # What broke off is found again by the beginning of its name.
    assert restore["with"]["restore-keys"].splitlines()[0] == restore["with"]["key"]


def test_a_red_verify_does_not_silence_the_others() -> None:
    """Stale captures, notebooks and planted faults are told in the same week; and both reports are uploaded."""
    runs = [step for step in steps("verify") if "run" in step]
    (verify,) = [number for number, step in enumerate(runs) if "lab verify" in step["run"]]
    after = runs[verify + 1 :]
    assert ["lab stale" in after[0]["run"], "test_notebooks" in after[1]["run"], "test_check" in after[2]["run"]] == [
        True
    ] * 3
    assert all(step["if"].startswith("${{ !cancelled()") for step in after[:3])
    assert after[3]["if"] == "failure()" and after[3]["run"].startswith("gh issue create")
    assert "--json reports/verify.json --junit reports/verify.xml" in runs[verify]["run"]
    assert "reports" in uses("verify", "actions/upload-artifact")[0]["with"]["path"].split()


def test_virtual_machines_have_what_they_need() -> None:
    """Shared memory for the kernel that fills the box, KVM for QEMU's own user, a boot before the long test."""
    size = re.search(r"--privileged --shm-size=(\d+)g$", JOBS["vagrant"]["container"]["options"])
    assert size and int(size[1]) * 1024 >= sum(node.memory for node in load_spec().nodes)
    text = lines("vagrant")
    assert (
        0 < text.index("chmod 666 /dev/kvm") < text.index("make test-vagrant-boot") < text.rindex("make test-vagrant")
    )
