"""The disk of a node: Debian, the programs and the images, put together without root."""

import os
import shutil
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.image.steps import DISK_SIZE, IMAGE, PROVISION
from lab.spec import Spec

KUBERNETES_PROGRAMS = ("kubeadm", "kubectl", "kubelet")
SEED_LIMIT = 600.0
"""Seconds that the first boot, which fills containerd's store, may take."""


def build(spec: Spec, products: dict[str, Path], work: Path) -> None:
    """Make `base.img` in the folder `work`.

    The tree is packed by mke2fs, under fakeroot if we are not root; then a first boot
    of the kernel, with the disk's own init replaced, provisions it from the inside.
    """
    tree = work / "tree"
    tree.mkdir()
    overlay = work / "overlay"
    _overlay(spec, products, overlay)
    log = work / "build.log"
    script = (
        f"set -e; tar -C {tree} -xpf {products['rootfs'] / 'rootfs.tar'}; cp -a {overlay}/. {tree}/; "
        f"chown -R 0:0 {tree}/usr/local {tree}/opt {tree}/etc/lab; : > {tree}/etc/resolv.conf; "
        f"echo 'nameserver {spec.networks.gateway}' > {tree}/etc/resolv.conf; "
        f"mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 -O ^metadata_csum_seed -L root "
        f"-d {tree} {work / 'base.img'} {DISK_SIZE}"
    )
    prefix = [] if os.getuid() == 0 else ["fakeroot"]
    shell.run([*prefix, "sh", "-c", script], what="packing the disk", log=log)
    for folder in (tree, overlay):
        shutil.rmtree(folder)
    _seed(spec, products, work, log)


def _overlay(spec: Spec, products: dict[str, Path], overlay: Path) -> None:
    """What comes on top of Debian: our files, the programs, Calico's manifest."""
    shutil.copytree(PROVISION / "files", overlay)
    shutil.copytree(IMAGE / "guest", overlay, dirs_exist_ok=True)
    provision = overlay / "opt/lab/provision"
    provision.mkdir(parents=True)
    shutil.copy(PROVISION / "node.sh", provision)
    programs = overlay / "usr/local/bin"
    plugins = overlay / "opt/cni/bin"
    for folder in (programs, plugins, overlay / "etc/lab"):
        folder.mkdir(parents=True, exist_ok=True)
    _copy(products["kubernetes"] / "kubernetes", programs / "kubernetes")
    for name in KUBERNETES_PROGRAMS:
        (programs / name).symlink_to("kubernetes")
    for name in ("calicoctl", "first-block"):
        _copy(products["calico"] / name, programs / name)
    for name in ("calico", "calico-ipam"):
        _copy(products["calico"] / "calico", plugins / name)
    for name in ("bandwidth", "bridge", "host-local", "loopback", "portmap", "ptp"):
        _copy(products["cni"] / name, plugins / name)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _seed(spec: Spec, products: dict[str, Path], work: Path, log: Path) -> None:
    """Boot the disk once with an init that provisions it and imports the images."""
    console = shell.run(
        [
            products["kernel"] / "linux", "mem=2048M", f"ubd0={work / 'base.img'}", "root=/dev/ubda", "rw",
            f"hostfs={products['images']}", "init=/usr/local/sbin/lab-seed", "con=null", "con0=null,fd:1",
            "seccomp=auto", "umid=lab-seed-" + str(os.getpid()), f"uml_dir={work}/",
        ],
        what="the disk's first boot", timeout=SEED_LIMIT,
    )  # fmt: skip
    with log.open("a") as stream:
        stream.write(console)
    if "lab-seed: done" not in console:
        raise LabError(
            "the disk's first boot failed",
            detail="\n".join(console.splitlines()[-15:]),
            hint=f"whole log: {log}",
        )
