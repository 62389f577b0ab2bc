"""A host with another processor: what is built there is for it, and nothing that only runs on x86-64."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from lab import doctor
from lab.cli import main
from lab.errors import LabError
from lab.image import oci, steps
from lab.image.processor import architecture
from lab.vagrant import files, lifecycle

AARCH64 = 183
"""The processor's number in the head of an ELF file."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this host one with another processor, as far as it says itself."""

    def is_now(machine: str) -> None:
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))

    return is_now


def keys() -> dict[str, str]:
    return {step.name: step.key for step in steps.all_steps()}


def test_an_arm_host_builds_what_virtual_machines_are_given(host: Callable[[str], None]) -> None:
    """All but the kernel that runs as a process and its disk, each under a key of its own."""
    host("x86_64")
    here = keys()
    host("aarch64")
    there = keys()
    assert here.keys() - there.keys() == {"kernel", "disk"} and there.keys() <= here.keys()
    assert [name for name in there if there[name] == here[name]] == []


def test_images_name_the_processor(host: Callable[[str], None]) -> None:
    """Else containerd would refuse them."""
    image = oci.Image("registry.k8s.io/pause:1", (), ("/pause",))
    for machine, name in (("x86_64", "amd64"), ("aarch64", "arm64")):
        host(machine)
        assert json.loads(oci._config(image))["architecture"] == name


@pytest.mark.slow
def test_programs_are_built_for_the_host(host: Callable[[str], None], tmp_path: Path) -> None:
    """By the real compiler, whatever the environment asks for."""
    source, work = tmp_path / "source", tmp_path / "work"
    for folder in (source, work):
        folder.mkdir()
    (source / "go.mod").write_text("module small\n\ngo 1.26\n")
    (source / "main.go").write_text("package main\n\nfunc main() { println(0) }\n")
    step = steps.GoStep("small", "v1", 1, {"small": "."})
    step.folder = source
    host("aarch64")
    step.build(work)
    assert struct.unpack_from("<H", (work / "small").read_bytes(), 18) == (AARCH64,)


def test_user_mode_nodes_are_refused_with_the_other_way(host: Callable[[str], None]) -> None:
    """What is built for virtual machines is not."""
    host("aarch64")
    [found] = [each for each in doctor.examine() if "aarch64" in each.what]
    assert "lab box --other" in found.repair
    assert not [each for each in doctor.examine(kernels=False) if "aarch64" in each.what]


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout and a cache in which nothing was made."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "state/vagrant"


def test_the_labs_own_box_is_refused_with_the_other_way(host: Callable[[str], None], own_state: Path) -> None:
    """Before anything is asked of the host, or built."""
    host("aarch64")
    done = CliRunner().invoke(main, ["box"])
    assert done.exit_code == 1
    first, *rest = done.output.splitlines()
    assert first == "lab: the lab's own box is made on x86_64, and for it; this is aarch64"
    assert len(rest) == 1 and "lab box --other, then LAB_BOX=NAME vagrant up" in rest[0]
    assert not own_state.exists() and not (own_state.parents[1] / "cache").exists()


def test_machines_of_the_lab_itself_are_refused_the_same_way(
    host: Callable[[str], None], own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lab up --carrier vagrant` starts the lab's own box."""
    monkeypatch.setattr(lifecycle, "_require", lambda: None)
    host("aarch64")
    with pytest.raises(LabError, match="this is aarch64") as caught:
        lifecycle.up(lambda _: None)
    assert "lab box --other" in caught.value.hint


def test_what_another_box_is_given_is_laid_down(
    host: Callable[[str], None], own_state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From the products that there are on ARM, none of which is a kernel."""
    host("aarch64")
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(lifecycle.doctor, "require", lambda **words: asked.append(words))
    monkeypatch.setattr(lifecycle.making, "build", lambda say: None)
    monkeypatch.setattr(files, "lay_down", lambda spec, say: None)
    products = {step.name: tmp_path / step.name for step in steps.all_steps()}
    monkeypatch.setattr(files, "Bringup", lambda spec, say: SimpleNamespace(products=products))
    programs = {"kubernetes": ["kubernetes"], "calico": ["calico", "calicoctl", "first-block"], "images": ["pause.tar"]}
    programs["cni"] = ["bandwidth", "bridge", "host-local", "loopback", "portmap", "ptp"]
    for step, names in programs.items():
        products[step].mkdir()
        for name in names:
            (products[step] / name).write_text(name)
    done = CliRunner().invoke(main, ["box", "--other"])
    assert done.exit_code == 0, done.output
    assert asked == [{"build": True, "machines": False, "kernels": False}]
    laid = own_state / "products"
    assert (laid / "pause.tar").exists() and (laid / "root/opt/cni/bin/calico-ipam").read_text() == "calico"
    assert (laid / "root/usr/local/bin/kubelet").readlink() == Path("kubernetes")


def test_a_build_still_looks_at_the_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last step boots a kernel in user mode."""
    monkeypatch.setattr(doctor.os, "statvfs", lambda path: SimpleNamespace(f_bavail=1, f_blocks=64, f_frsize=2**20))
    assert [
        each for each in doctor.examine(kernels=False) if "/dev/shm has 1 MiB left, 2048 MiB are wanted" in each.what
    ]


def test_another_processor_is_one_message(host: Callable[[str], None]) -> None:
    host("riscv64")
    with pytest.raises(LabError, match="nothing is built for riscv64") as caught:
        architecture()
    assert "x86_64 or aarch64" in caught.value.hint
