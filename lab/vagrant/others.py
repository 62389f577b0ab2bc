"""Debian 13 boxes as others make them, of Debian's packages: what `make test-vagrant-other` tries instead of ours.

Nothing of this project is inside. They differ where public boxes differ: in what manages their network, and in
how the devices are called.
"""

import itertools
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab import shell
from lab.image.steps import KEYRING, components
from lab.paths import ROOT
from lab.spec import Spec
from lab.store import Step
from lab.vagrant import box, files, mirror

SIZE = 12 * 1024 - 1
"""MiB of the partition; the files that hold it are sparse."""

PACKAGES = (
    "apparmor", "ca-certificates", "cron", "dbus", "debian-archive-keyring", "initramfs-tools", "iproute2", "kmod",
    "less", "linux-image-amd64", "logrotate", "nano", "openssh-server", "procps", "rsync", "sudo", "systemd-sysv",
    "systemd-timesyncd", "udev",
)  # fmt: skip
"""What each of them has."""

GRUB = """\
set root=(hd0,msdos1)
linux /vmlinuz root=/dev/vda1 ro console=ttyS0 {words}
initrd /initrd.img
boot
"""


@dataclass(frozen=True)
class Kind:
    """How a box of others is made.

    Attributes:
        name: What manages its network.
        about: Where public boxes are so, and what else is.
        packages: What it has besides `PACKAGES`.
        units: What systemd starts in it besides what its packages enable.
        files: Path and text of files that its maker writes.
        links: Path and target of links that its maker sets.
        words: What its kernel is told.
        swap: MiB of a swap file; 0 for none.
    """

    name: str
    about: str
    packages: Sequence[str]
    units: Sequence[str] = ()
    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    words: str = ""
    swap: int = 0


KINDS = (
    Kind(
        "ifupdown",
        "as in Debian's own boxes, with a device called eth0 and a swap file",
        packages=("ifupdown", "dhcpcd-base"),
        files={
            "etc/network/interfaces": "auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n"
        },
        words="net.ifnames=0",
        swap=128,
    ),
    Kind(
        "networkd",
        "as in Debian's images for clouds, told what to do by cloud-init and netplan, with systemd-resolved",
        packages=("cloud-guest-utils", "cloud-init", "e2fsprogs", "netplan.io", "systemd-resolved"),
        units=("systemd-networkd.service", "systemd-resolved.service"),
        files={
            "var/lib/cloud/seed/nocloud/meta-data": "instance-id: box\nlocal-hostname: debian\n",
            "var/lib/cloud/seed/nocloud/user-data": "#cloud-config\napt:\n  preserve_sources_list: true\n",
        },
        links={"etc/resolv.conf": "/run/systemd/resolve/stub-resolv.conf"},
    ),
    Kind(
        "NetworkManager",
        "as on a desktop, with predictable names of devices",
        packages=("network-manager",),
        units=("NetworkManager.service",),
    ),
)


class Other(Step):
    """One such box."""

    expected = 120.0

    def __init__(self, spec: Spec, kind: Kind) -> None:
        self.spec, self.kind = spec, kind
        self.name = f"other-box-{kind.name.lower()}"

    @property
    def title(self) -> str:
        """By which name Vagrant knows the box."""
        return f"{self.name}-{self.key}"

    def inputs(self) -> Iterable[str | Path]:
        debian = self.spec.debian
        return ["other-1", debian.suite, debian.mirror, repr(replace(self.kind, about="")), *PACKAGES, GRUB, proxy()]

    def build(self, work: Path) -> None:
        debian, log, root = self.spec.debian, work / "build.log", work / "tree"
        laid = work / "laid"
        files = {
            "etc/apt/apt.conf.d/90mirror": proxy(),
            "etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n" + ("/swapfile none swap sw 0 0\n" if self.kind.swap else ""),
            "etc/hostname": "debian\n",
            "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
            "etc/sudoers.d/vagrant": "vagrant ALL=(ALL) NOPASSWD: ALL\n",
            "home/vagrant/.ssh/authorized_keys": (box.HERE / "vagrant.pub").read_text(),
            **self.kind.files,
        }
        for name, text in files.items():
            path = laid / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        inside = ["useradd --create-home --shell /bin/bash --groups sudo vagrant"]
        inside += [f"systemctl enable {unit}" for unit in self.kind.units]
        hooks = [f'--customize-hook=chroot "$1" {command}' for command in inside]
        names = ",".join((*PACKAGES, *self.kind.packages))
        shell.run(
            [
                "mmdebstrap", "--variant=apt", f"--mode={'root' if os.getuid() == 0 else 'unshare'}", "--format=tar",
                *hooks, f"--include={names}", debian.suite, work / "rootfs.tar",
                f"deb [signed-by={KEYRING}] {debian.mirror} {debian.suite} main",
            ],
            what="installing Debian's packages", log=log, env={**os.environ, "SOURCE_DATE_EPOCH": box.EPOCH},
            hint="is the network there? the Debian mirror is named in lab/cluster.yaml",
        )  # fmt: skip
        root.mkdir()
        script = [
            "set -e", f"tar -C {root} -xpf {work / 'rootfs.tar'}", f"cp -R {laid}/. {root}/",
            f"chmod 440 {root}/etc/sudoers.d/vagrant", f"chmod 700 {root}/home/vagrant/.ssh",
            f"chown -R 1000:1000 {root}/home/vagrant", f"rm -f {root}/etc/machine-id", f": >{root}/etc/machine-id",
            *(f"ln -sf {target} {root}/{name}" for name, target in self.kind.links.items()),
        ]  # fmt: skip
        if self.kind.swap:
            swap = f"{root}/swapfile"
            script.append(f"fallocate -l {self.kind.swap}M {swap}; chmod 600 {swap}; mkswap -q {swap}")
        box.file_system(root, "; ".join(script) + "; ", work / "base.img", SIZE, log)
        (work / "rootfs.tar").unlink()
        shutil.rmtree(laid)
        box.archive(work, GRUB.format(words=self.kind.words), log)
        (work / "info.json").write_text(components())


def proxy() -> str:
    """What tells apt in such a box the way to Debian's packages."""
    return f'Acquire::http::Proxy "http://{mirror.ADDRESS}:{mirror.PORT}";\n'


def folder() -> Path:
    """Where the Vagrantfile for such boxes lies."""
    return files.folder() / "others"


def vagrantfile(spec: Spec, boxes: Sequence[tuple[Other, Path]]) -> None:
    """Write a Vagrantfile that is ours, but each machine of it is made of another box.

    Args:
        boxes: The boxes in turn, each with the file of it.
    """
    folder().mkdir(parents=True, exist_ok=True)
    lines = [f"load {json.dumps(str(ROOT / 'Vagrantfile'))}", 'Vagrant.configure("2") do |config|']
    for node, (step, file) in zip(spec.nodes, itertools.cycle(boxes), strict=False):
        lines += [
            f"  config.vm.define {json.dumps(node.name)} do |machine|",
            f"    machine.vm.box = {json.dumps(step.title)}",
            f"    machine.vm.box_url = {json.dumps(f'file://{file}')}",
            "  end",
        ]
    (folder() / "Vagrantfile").write_text("\n".join([*lines, "end"]) + "\n")
