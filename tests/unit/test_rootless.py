"""The lab's namespaces and network, made by root and by an ordinary user, whoever runs the tests."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Lab

from lab.carriers.holder import host_end, node_end
from lab.carriers.uml import start_time
from lab.paths import ROOT
from lab.spec import load_spec

pytestmark = pytest.mark.slow

CHILD = Path(__file__).with_name("rootless_child.py")
ORDINARY = 61234 if os.getuid() == 0 else os.getuid()
"""A user that no host knows, so that nothing is allowed to it by name."""
USERS = sorted({0, ORDINARY}) if os.getuid() == 0 else [ORDINARY]
KINDS = ("net", "mnt", "ipc", "pid")
UNCOVER = """
set -eu
uid=$1; shift
count=0
for tree in $TREES; do
    mkdir "$STAGE/$count"; mount --bind "$tree" "$STAGE/$count"; count=$((count + 1))
done
for folder in $CLOSED; do mount -t tmpfs -o mode=755 none "$folder"; done
count=0
for tree in $TREES; do
    mkdir -p "$tree"; mount --bind "$STAGE/$count" "$tree"; count=$((count + 1))
done
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
"""
"""Runs a program as another user, in mounts of its own, where a Python and a checkout in a closed home are open."""


def closed(tree: Path) -> list[Path]:
    """The folders on the way to a tree that let nobody else through."""
    return [folder for folder in reversed(tree.parents) if not folder.stat().st_mode & 0o001]


def command(uid: int, environment: dict[str, str], stage: Path) -> list[str]:
    """The command line that runs the child as that user; what it needs besides is put into the environment."""
    child = [sys.executable, str(CHILD)]
    if uid == os.getuid():
        return child
    needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent.parent}
    hidden = sorted({tree for tree in needed if closed(tree)})
    # The outermost one alone: what is below it is covered with it.
    covered = sorted({str(closed(tree)[0]) for tree in hidden})
    environment |= {"TREES": " ".join(map(str, hidden)), "CLOSED": " ".join(covered), "STAGE": str(stage)}
    return ["unshare", "--mount", "sh", "-c", UNCOVER, "sh", str(uid), *child]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose way is open to all; pytest's own are open to their owner alone."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("uid", USERS, ids=lambda uid: "ordinary" if uid else "root")
def test_a_network_of_ones_own(home: Path, uid: int) -> None:
    """Namespaces apart from the host's, a bridge with the gateway's address, a pair for each node; then nothing."""
    mine, stage = home / "mine", home / "stage"
    for folder in (mine, mine / "run", stage):
        folder.mkdir(mode=0o700)
        os.chown(folder, uid, -1)
    lab = Lab(mine / "state")
    environment = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(mine), "USER": "reader",
        "LAB_STATE": str(lab.state), "XDG_RUNTIME_DIR": str(mine / "run"), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    line = command(uid, environment, stage)
    with subprocess.Popen(
        line, env=environment, cwd="/", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said = process.stdout.readline()
        assert said, process.stderr.read()
        told = json.loads(said)
        try:
            look(told, uid)
            assert told["runtime"].startswith(str(mine / "run")) and Path(told["runtime"]).exists()
            assert {line.split()[0] for _, line in lab.processes()} >= {"unshare", sys.executable}
            kept = lab.state / "state.json"
            assert (kept.stat().st_uid, lab.state_file()["uid"]) == (uid, uid)
        finally:
            _, errors = process.communicate("end\n", timeout=30)
    assert (process.returncode, errors) == (0, "")
    lab.wait_gone()
    assert not kept.exists() and not Path(told["runtime"]).exists()
    assert start_time(told["init"]) == 0
    assert list((mine / "run").iterdir()) == []


def look(told: dict[str, Any], uid: int) -> None:
    """What the child saw inside, and what this process sees of it from outside."""
    assert (told["uid"], told["inside"], told["alive"], told["listens"]) == (uid, 0, True, True)
    init, spec = told["init"], load_spec()
    for kind in KINDS:
        assert os.readlink(f"/proc/{init}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"), kind
    users = os.readlink(f"/proc/{init}/ns/user") == os.readlink("/proc/self/ns/user")
    assert users is (uid == 0)
    if uid:
        # Root inside is this one user outside, and nobody else is anybody.
        assert Path(f"/proc/{init}/uid_map").read_text().split() == ["0", str(uid), "1"]
    kinds = {link["ifname"]: link.get("linkinfo", {}).get("info_kind", "") for link in told["links"]}
    pairs = {name: "veth" for node in spec.nodes for name in (host_end(node.name), node_end(node.name))}
    assert kinds.items() >= {"lab0": "bridge", "lo": "", **pairs}.items()
    # A new namespace may come with the fallback devices of tunnels whose modules the host has loaded.
    assert not [
        name for name, kind in kinds.items() if kind in ("tun", "veth", "bridge") and name not in {"lab0", *pairs}
    ]
    found = [each for link in told["addresses"] for each in link["addr_info"]]
    assert [(each["local"], each["prefixlen"]) for each in found] == [
        (spec.networks.gateway, spec.networks.node_prefix)
    ]
