"""The box: a virtual machine's disk with Debian, the programs and the images, made without root and without a mount."""

import json
import os
import shlex
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.image import disk
from lab.image.steps import IMAGE, KEYRING, PROVISION, _installed, all_steps, components, default_store, tree
from lab.paths import PACKAGE
from lab.spec import Spec
from lab.store import Step, Store

HERE = PACKAGE / "vagrant"
MIB = 2**20
SECTOR = 512
START = MIB
"""Where the one partition begins; GRUB lies before it."""

SIZE = 6143
"""MiB of the partition, so that the whole disk has 6 GiB; the files that hold it are sparse."""

GRUB = Path("/usr/lib/grub/i386-pc")
GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "normal")
GRUB_CONFIG = """\
set root=(hd0,msdos1)
linux /vmlinuz root=/dev/vda1 ro net.ifnames=0 console=ttyS0 quiet
initrd /initrd.img
boot
"""
EPOCH = "1735689600"
"""The time that files of the box bear, in seconds since 1970: the first of January 2025."""


def package_names(*files: Path) -> list[str]:
    """The names in lists of Debian packages, one a line."""
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


class Root(Step):
    """Debian with the packages of a node and a kernel of its own, as a tar."""

    name = "box-root"
    expected = 180.0

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def inputs(self) -> Iterable[str | Path]:
        debian = self.spec.debian
        files = (IMAGE / "packages.txt", HERE / "packages.txt", *(HERE / "box").rglob("modules.d/*"))
        return ["box-root-1", debian.suite, debian.mirror, *debian.kernel_sources, *files]

    def build(self, work: Path) -> None:
        debian = self.spec.debian
        newest = debian.kernel_sources[0].split("/")[1]
        names = package_names(IMAGE / "packages.txt", HERE / "packages.txt")
        names.append(f"linux-image-cloud-amd64/{newest}")
        suites = sorted({debian.suite, f"{debian.suite}-updates", newest})
        sources = [f"deb [signed-by={KEYRING}] {debian.mirror} {suite} main" for suite in suites]
        lean = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")]
        # The initrd holds what finds the disk, and the network's driver: devices are there before they are named.
        modules = HERE / "box/usr/share/initramfs-tools/modules.d/lab"
        hook = (
            'mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d" && '
            'echo MODULES=list >"$1/etc/initramfs-tools/conf.d/lab" && '
            f'cp {shlex.quote(str(modules))} "$1/usr/share/initramfs-tools/modules.d/lab"'
        )
        shell.run(
            [
                "mmdebstrap", "--variant=essential", f"--mode={'root' if os.getuid() == 0 else 'unshare'}",
                "--format=tar", "--aptopt=Apt::Install-Recommends false", *lean, f"--essential-hook={hook}",
                f"--include={','.join(names)}", debian.suite, work / "rootfs.tar", *sources,
            ],
            what="installing Debian's packages", log=work / "build.log", env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
            hint="is the network there? the Debian mirror is named in lab/cluster.yaml",
        )  # fmt: skip
        rows = [(name, version, "Debian package", None) for name, version in _installed(work / "rootfs.tar")]
        (work / "info.json").write_text(components(*rows))


class Box(Step):
    """What `vagrant box add` takes: one archive for the provider libvirt."""

    name = "box"
    expected = 180.0

    def __init__(self, spec: Spec, store: Store, needs: tuple[Step, ...]) -> None:
        self.spec, self.store, self.needs = spec, store, needs

    def inputs(self) -> Iterable[str | Path]:
        folders = (PROVISION / "files", HERE / "guest", HERE / "box")
        text = json.dumps([GRUB_MODULES, GRUB_CONFIG, SIZE, node_table(self.spec), hosts(self.spec)])
        files = [item for folder in folders for item in tree(folder)]
        return ["box-1", text, PROVISION / "node.sh", HERE / "vagrant.pub", *files]

    def build(self, work: Path) -> None:
        products = {step.name: self.store.path(step) for step in self.needs}
        log = work / "build.log"
        _pack(self.spec, products, work, log)
        disk._seed(self.spec, products, work, log)
        archive(work, GRUB_CONFIG, log)
        (work / "info.json").write_text(components())


def node_table(spec: Spec) -> str:
    """By its MAC a machine knows which node it is: name, address, length of the prefix, gateway."""
    networks = spec.networks
    return "".join(
        f"{node.mac} {node.name} {node.address} {networks.node_prefix} {networks.gateway}\n" for node in spec.nodes
    )


def hosts(spec: Spec) -> str:
    """The /etc/hosts of every node."""
    return "\n".join(["127.0.0.1 localhost", *(f"{node.address} {node.name}" for node in spec.nodes)]) + "\n"


def _pack(spec: Spec, products: dict[str, Path], work: Path, log: Path) -> None:
    """Make `base.img`, the file system: Debian, our files, the programs."""
    overlay, root = work / "overlay", work / "tree"
    disk._overlay(spec, products, overlay)
    for unused in ("usr/local/sbin/lab-node", "etc/systemd/system/lab-node.service"):
        (overlay / unused).unlink()
    for folder in ("guest", "box"):
        shutil.copytree(HERE / folder, overlay, dirs_exist_ok=True)
    etc = overlay / "etc/lab"
    (etc / "nodes").write_text(node_table(spec))
    (etc / "hosts").write_text(hosts(spec))
    (etc / "box").write_text("The programs and the images are inside.\n")
    shutil.copy(HERE / "vagrant.pub", etc)
    root.mkdir()
    script = (
        f"set -e; tar -C {root} -xpf {products['box-root'] / 'rootfs.tar'}; cp -a {overlay}/. {root}/; "
        f"chown -R 0:0 {root}/usr/local {root}/opt {root}/etc/lab {root}/etc/sudoers.d {root}/etc/systemd; "
        f"chmod 440 {root}/etc/sudoers.d/vagrant; rm -f {root}/etc/resolv.conf {root}/etc/hostname; "
    )
    file_system(root, script, work / "base.img", SIZE, log)
    shutil.rmtree(overlay)


UUID = "b0c5a1d0-0000-4000-8000-000000000001"
"""Of the box's file system: always the same. The first boot, which imports the images, still writes its own times."""


def file_system(root: Path, script: str, image: Path, size: int, log: Path) -> None:
    """Make an image of a file system from what a shell script lays into the folder `root`, which is then removed.

    Args:
        size: In MiB.
    """
    script += (
        f"mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0,hash_seed={UUID} -U {UUID} "
        f"-O ^metadata_csum_seed -L root -d {root} {image} {size}M"
    )
    prefix = [] if os.getuid() == 0 else ["fakeroot"]
    shell.run(
        [*prefix, "sh", "-c", script], what="packing the disk", log=log,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "E2FSPROGS_FAKE_TIME": EPOCH},
    )  # fmt: skip
    shutil.rmtree(root)


def archive(work: Path, grub: str, log: Path) -> None:
    """Make `base.img`, a file system with a kernel, the one file `living-book.box` that Vagrant takes.

    Args:
        grub: What GRUB is told.
    """
    raw = work / "disk.img"
    _whole_disk(work / "base.img", raw, grub, log)
    (work / "base.img").unlink()
    size = raw.stat().st_size // 2**30
    shell.run(
        [
            "qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd",
            raw, work / "box.img",
        ],
        what="compressing the disk", log=log,
    )  # fmt: skip
    raw.unlink()
    (work / "metadata.json").write_text(
        json.dumps({"provider": "libvirt", "format": "qcow2", "virtual_size": size}) + "\n"
    )
    shell.run(
        [
            "tar", "-C", work, "--sort=name", f"--mtime=@{EPOCH}", "--owner=0", "--group=0", "--numeric-owner",
            "-cf", work / "living-book.box", "metadata.json", "box.img",
        ],
        what="writing the box", log=log,
    )  # fmt: skip
    for name in ("metadata.json", "box.img"):
        (work / name).unlink()


def _whole_disk(part: Path, raw: Path, grub: str, log: Path) -> None:
    """A disk that starts by itself: GRUB, a table with one partition, and the partition."""
    config, core = raw.with_name("grub.cfg"), raw.with_name("core.img")
    config.write_text(grub)
    shell.run(
        ["grub-mkimage", "-O", "i386-pc", "-o", core, "-c", config, "-p", "(hd0,msdos1)/boot/grub", *GRUB_MODULES],
        what="making GRUB", log=log,
    )  # fmt: skip
    boot = bytearray((GRUB / "boot.img").read_bytes()[:440])
    image = core.read_bytes()
    if len(image) > START - SECTOR:
        raise LabError(f"GRUB has {len(image)} bytes and does not fit before the partition")
    size = part.stat().st_size
    # An entry of the partition table: active, type Linux, first sector and number of sectors; the rest is unused.
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", START // SECTOR, size // SECTOR)
    with raw.open("wb") as stream:
        stream.truncate(START + size)
        stream.write(bytes(boot) + struct.pack("<IH", 0x1D5EB00C, 0) + entry + bytes(48) + b"\x55\xaa")
        stream.seek(SECTOR)
        stream.write(image)
    shell.run(
        ["dd", f"if={part}", f"of={raw}", "bs=1M", "seek=1", "conv=sparse,notrunc", "status=none"],
        what="writing the partition", log=log,
    )  # fmt: skip
    config.unlink()
    core.unlink()


def box_steps(spec: Spec, store: Store | None = None) -> list[Step]:
    """The steps that `lab build` does not take, each after those it needs.

    Raises:
        LabError: Not on x86-64, since a kernel in user mode fills the box.
    """
    store = store or default_store()
    steps = {step.name: step for step in all_steps(spec, store)}
    if "kernel" not in steps:
        raise LabError(
            f"the lab's own box is made on x86_64, and for it; this is {os.uname().machine}",
            hint="take a Debian 13 box of others: lab box --other, then LAB_BOX=NAME vagrant up",
        )
    root = Root(spec)
    needs = ("kernel", "kubernetes", "calico", "cni", "images")
    return [root, Box(spec, store, (*(steps[name] for name in needs), root))]
