"""The kernel step finds options that the kernel's own rules dropped."""

import re
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.image import steps

WANTED = re.findall(r"^CONFIG_(\w+)=y", (steps.IMAGE / "kernel/kernel.config").read_text(), re.MULTILINE)


def source(folder: Path, *, without: set[str], kconfig: str = "") -> Path:
    """A kernel's source whose configuration lacks some of the wanted options."""
    (folder / "net").mkdir()
    (folder / "net/Kconfig").write_text(kconfig)
    (folder / ".config").write_text("".join(f"CONFIG_{name}=y\n" for name in WANTED if name not in without))
    return folder


def test_all_there(tmp_path: Path) -> None:
    """Nothing is dropped, nothing is said; and there are options to look for."""
    assert len(WANTED) > 150
    steps._check_config(source(tmp_path, without=set()))


def test_a_dropped_option_is_named(tmp_path: Path) -> None:
    """A node would miss it much later, and say something else."""
    with pytest.raises(LabError, match="lost 1 options") as caught:
        steps._check_config(source(tmp_path, without={"NET_IPIP"}))
    assert "NET_IPIP" in caught.value.detail


def test_an_older_kernel_does_not_know_the_newer_options(tmp_path: Path) -> None:
    """Linux 6.12 has the legacy tables without asking."""
    steps._check_config(source(tmp_path, without=steps.NEWER, kconfig="config NETFILTER_XTABLES\n"))


def test_a_newer_option_that_is_known_must_be_set(tmp_path: Path) -> None:
    """Where the kernel knows it, its absence means something."""
    with pytest.raises(LabError, match="lost 1 options"):
        steps._check_config(
            source(tmp_path, without={"IP_NF_IPTABLES_LEGACY"}, kconfig="config IP_NF_IPTABLES_LEGACY\n\tbool\n")
        )
