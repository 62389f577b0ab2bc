"""The kernel step finds options that the kernel's own rules dropped, and mends what can be mended."""

import re
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.image import steps
from lab.spec import load_spec

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


PATCH = """Why.
---
--- a/arch/um/trap.c
+++ b/arch/um/trap.c
@@ -1,2 +1,2 @@
 one
-two
+three
"""


@pytest.mark.parametrize(("text", "fits"), [("one\ntwo\n", True), ("one\nelse\n", False)])
def test_a_patch_that_does_not_fit_is_left_out(
    text: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's origin names what was applied; the log, what was not; nothing is applied by half."""
    (tmp_path / "mend.patch").write_text(PATCH)
    monkeypatch.setattr(steps, "KERNEL_PATCHES", [tmp_path / "mend.patch"])
    file = tmp_path / "linux/arch/um/trap.c"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert steps._patch(tmp_path / "linux", tmp_path / "log") == (["mend.patch"] if fits else [])
    assert file.read_text() == ("one\nthree\n" if fits else text)
    assert ("mend.patch does not fit this kernel: it is left out" in (tmp_path / "log").read_text()) is not fits
    assert [path.name for path in file.parent.iterdir()] == ["trap.c"]


def test_each_patch_of_the_project_says_what_it_is_for() -> None:
    """And they are among the inputs of the product: another patch, another kernel."""
    assert steps.KERNEL_PATCHES
    for path in steps.KERNEL_PATCHES:
        words, _, change = path.read_text().partition("\n---\n")
        assert len(words) > 200 and "SPDX-License-Identifier: GPL-2.0" in words and change.startswith("--- a/")
        assert path in steps.Kernel(load_spec()).inputs()
