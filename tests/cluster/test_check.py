"""`lab check` on the real cluster: as it is, with other addresses, and broken in ten ways that it must name."""

import os
import random
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from harness import Lab

from lab import mutate
from lab.carriers.uml import UmlCarrier
from lab.mutations import select

pytestmark = pytest.mark.cluster

FAULTS = [
    "pod-route-missing",
    "pod-route-device",
    "hole-missing",
    "node-route-missing",
    "node-route-next-hop",
    "tunnel-mtu",
    "proxy-arp-off",
    "session-disabled",
    "service-target",
    "service-probability",
]
SAMPLE = 2
ROUTES = "pod_to_pod/routes_to_other_nodes"


def test_planted_faults_are_named(lab: Lab) -> None:
    """Another two each day; all ten with LAB_FAULTS=all."""
    lot = random.Random(date.today().toordinal())
    names = FAULTS if os.environ.get("LAB_FAULTS") == "all" else lot.sample(FAULTS, SAMPLE)
    said = lab("mutate", "--by", "check", *names, timeout=1200).stdout
    assert f"{len(names)} named, 0 failed" in said
    # Each with the page that rests on it, a cause and the next command.
    assert said.count("the book: docs/") >= len(names)
    assert said.count("usual cause: ") >= len(names) and said.count("look: lab ") >= len(names)


def test_this_lab_is_the_book_s_and_a_fault_is_not(lab: Lab, carrier: UmlCarrier) -> None:
    """The exit status tells; so do the words."""
    said = lab("check", ROUTES, "pod_to_pod/the_brief_line").stdout
    assert "2 snippets: 2 same, 0 differ as expected, 0 differ in meaning" in said
    with mutate.broken(select(["node-route-next-hop"])[0], carrier):
        said = lab("check", ROUTES, status=1).stdout
    assert "node01: the route to 172.16.140.64/26 goes by 192.168.56.10, not by 192.168.56.12" in said
    assert "look: lab ssh node01 -- birdcl -s /run/calico/bird.ctl show protocols" in said


def test_pods_with_other_addresses_are_expected(lab: Lab) -> None:
    """The snippets ask and assert in the cluster's own names; chains of endpoints follow the addresses."""
    names = ["pod_to_pod/the_brief_line", "pod_to_pod/pod_address", "cluster_ip/chain_names", ROUTES]
    program = Path(__file__).with_name("other_addresses.py")
    done = subprocess.run(
        [sys.executable, program, *names], capture_output=True, text=True, env=lab.env, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 snippets: 1 same, 3 differ as expected, 0 differ in meaning" in done.stdout
    assert re.search(r"^pod default/pod2: address +172\.16\.196\.148 +172\.16\.196\.182$", done.stdout, flags=re.M)
    assert re.search(r"KUBE-SEP-NRT3YTDM2TWC4C5V +KUBE-SEP-[A-Z2-7]{16}$", done.stdout, flags=re.M)
