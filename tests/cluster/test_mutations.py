"""The real cluster, broken on purpose: the book must say what is broken, and all must hold again afterwards."""

import re
from datetime import date

import pytest
from harness import Lab

pytestmark = pytest.mark.cluster

SAMPLE = 3


def test_a_sample_of_mutations_is_named(lab: Lab) -> None:
    """Another three each day; `make mutate` does them all."""
    seed = str(date.today().toordinal())
    said = lab("mutate", "--sample", str(SAMPLE), "--seed", seed).stdout
    assert f"{SAMPLE} named, 0 failed" in said
    assert len(re.findall(r"^[a-z-]+ +\d+\.\d s  (?:node\d\d|controlplane): ", said, flags=re.M)) == SAMPLE
    assert not (lab.state / "mutation.json").exists()
