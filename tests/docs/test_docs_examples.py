"""Python in prose and docstrings: in the project's format, and true on the captures.

`--update-examples` writes what they print now, and their format; `make update` does so after the captures.
"""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples
from pytest_examples.lint import code_diff
from ruff.__main__ import find_ruff_bin

import lab
from lab.carriers import replay

# `lab.cluster` names the handle once `lab` is imported, so the module is asked for by its full name.
Cluster = importlib.import_module("lab.cluster").Cluster

ROOT = Path(__file__).parents[2]
PLACES = ("README.md", "CONTRIBUTING.md", "docs", "lab")
COLUMNS = 72
REPAIR = ".venv/bin/pytest tests/docs/test_docs_examples.py --update-examples"

_INCLUDE = re.compile(r"-{1,}8<-{1,} ")
_FENCE = re.compile(r"^ *(?:`{3,}|~{3,}) *(?:\{ *\.)?py", re.MULTILINE)


def includes_only(example: CodeExample) -> bool:
    """Whether a fence has no code of its own: what it includes is tested where it stands."""
    return all(_INCLUDE.match(line) for line in example.source.split("\n") if line.strip())


FENCES = sorted(find_examples(*(ROOT / place for place in PLACES)), key=lambda found: (found.path, found.start_line))
EXAMPLES = [example for example in FENCES if not includes_only(example)]


@pytest.mark.parametrize("place", ["CONTRIBUTING.md", "docs/lab/outputs.md", "lab/node.py", "lab/cluster.py"])
def test_there_are_examples_to_check(place: str) -> None:
    """What teaches how to write a snippet has some."""
    assert [example for example in EXAMPLES if example.path == ROOT / place]


def test_no_fence_is_overlooked() -> None:
    """Each Python fence that a reader sees was found: one of four backticks, or of tildes, would not be."""
    files = [path for place in PLACES for path in [ROOT / place, *(ROOT / place).rglob("*")] if path.is_file()]
    text = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in (".md", ".py")}
    seen = {path: len(_FENCE.findall(text[path])) for path in text if _FENCE.search(text[path])}
    found = {path: sum(fence.path == path for fence in FENCES) for path in {fence.path for fence in FENCES}}
    assert found == seen


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh handle that all captures answer."""
    monkeypatch.setattr(lab, "cluster", Cluster(connect=replay.of_all))
    # An example runs as `__main__`, and would stay it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.mark.usefixtures("replayed")
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_true(example: CodeExample, eval_example: EvalExample) -> None:
    """It runs, what it prints is written under each `print`, and its form is that of all other code."""
    assert re.search(r"\b(?:print\(|assert )", example.source), "an example shows or asserts something"
    # Modules and functions of an example are described by the text around it.
    eval_example.set_config(
        line_length=COLUMNS, ruff_line_length=COLUMNS, target_version="py311", quotes="double", ruff_ignore=["D"]
    )
    if eval_example.update_examples:
        before = example.source
        example.source = formatted(before)
        eval_example.run_print_update(example)
        if example.source != before and example not in eval_example.to_update:
            eval_example.to_update.append(example)
    else:
        eval_example.run_print_check(example)
        after = formatted(example.source)
        if after != example.source:
            difference = code_diff(example, after, eval_example.config)
            pytest.fail(f"not in the project's format:\n{difference}\nrepair it with: {REPAIR}", pytrace=False)
    eval_example.lint_ruff(example)


def formatted(source: str) -> str:
    """The example as `ruff format` writes it; a comment that holds what was printed keeps its form."""
    command = [find_ruff_bin(), "format", f"--line-length={COLUMNS}", "-"]
    plain = re.sub(r"^( *#)> ", r"\1 > ", source, flags=re.MULTILINE)
    done = subprocess.run(command, input=plain, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return re.sub(r"^( *#) > ", r"\1> ", done.stdout, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ('--8<-- "snippets/a/b.py:route"\n', True),
        ('--8<-- "snippets/a/b.py:one"\n\n--8<-- "snippets/a/b.py:two"\n', True),
        ('--8<-- "snippets/a/b.py"\nprint(1)\n', False),
        ("# --8<-- [start:route]\nprint(1)\n", False),
    ],
    ids=["include", "two", "mixed", "marker"],
)
def test_only_includes_are_no_examples(source: str, known: bool) -> None:
    """Code beside an include is code, and will not run: the fence must be divided."""
    assert includes_only(CodeExample.create(source)) is known
