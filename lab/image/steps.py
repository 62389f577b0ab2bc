"""The steps of the image build, each a product of its own in the store."""

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.image import oci
from lab.image.processor import architecture
from lab.paths import PACKAGE, cache_dir
from lab.spec import Spec, load_spec
from lab.store import Step, Store, file_digest

IMAGE = PACKAGE / "image"
PROVISION = PACKAGE / "provision"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
DISK_SIZE = "6G"
"""Size of a node's disk; the file is sparse."""


def components(*entries: tuple[str, str, str, Path | None]) -> str:
    """The text of a product's info.json: name, version, origin and file (for its digest) of each component."""
    rows = [
        {"name": name, "version": version, "origin": origin, "sha256": file_digest(path) if path else None}
        for name, version, origin, path in entries
    ]
    return json.dumps(rows, indent=1) + "\n"


def tree(folder: Path) -> list[str | Path]:
    """Names and files below a folder, as inputs of a step."""
    items: list[str | Path] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        items += [str(path.relative_to(folder)), oct(path.stat().st_mode & 0o111), path]
    return items


# --- Go ----------------------------------------------------------------------


@functools.cache
def go_tool() -> str:
    """The Go command: the host's if it is of the wanted release, else the one pinned with the Python dependencies."""
    wanted = re.search(r"^go (\d+\.\d+)", (IMAGE / "kubernetes/go.mod").read_text(), re.MULTILINE)
    release = wanted[1] if wanted else ""
    pinned = Path(os.sys.executable).parent / "go"  # type: ignore[attr-defined]
    for candidate in (shutil.which("go"), str(pinned) if pinned.exists() else None):
        if candidate is None:
            continue
        env = {**os.environ, "GOTOOLCHAIN": "local"}
        said = subprocess.run([candidate, "version"], capture_output=True, text=True, env=env, check=False).stdout
        if f"go{release}." in said or f"go{release} " in said:
            return candidate
    raise LabError(f"Go {release} is not here", hint="it comes with the Python dependencies: run `make setup`")


def _processor() -> list[str]:
    """The part of a product's key that keeps those for another processor apart; the first one has none."""
    return [name for name in (architecture(),) if name != "amd64"]


class GoStep(Step):
    """Programs built from one pinned Go module."""

    def __init__(
        self,
        name: str,
        version: str,
        expected: float,
        packages: dict[str, str],
        *,
        flags: str = "",
        folder: str = "",
    ) -> None:
        """A step that builds these programs.

        Args:
            packages: Program name to Go package.
            flags: Linker flags that tell the programs their version.
            folder: Folder of the go.mod below lab/image, if not the step's name.
        """
        self.name, self.version, self.expected = name, version, expected
        self.packages, self.flags = packages, flags
        self.folder = IMAGE / (folder or name)
        self.shares = self.folder.name

    def _origin(self, package: str) -> str:
        """Where a package's code comes from; one of our own stands in this repository."""
        return package if not package.startswith(".") else f"lab/image/{self.folder.name}, pinned by its go.sum"

    def inputs(self) -> Iterable[str | Path]:
        files = [self.folder / name for name in ("go.mod", "go.sum", "main.go", "first-block/main.go")]
        return ["go-2", *_processor(), self.flags, json.dumps(self.packages), *(f for f in files if f.exists())]

    def build(self, work: Path) -> None:
        env = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOOS": "linux",
            "GOARCH": architecture(),
            "GOTOOLCHAIN": "local",
            # What debuggers read is dropped by the linker anyway: not making it saves a seventh of the time.
            "GOFLAGS": "-mod=readonly -buildvcs=false -gcflags=all=-dwarf=false",
        }
        rows: list[tuple[str, str, str, Path | None]] = []
        for program, package in self.packages.items():
            shell.run(
                [go_tool(), "build", "-trimpath", "-ldflags", f"-s -w {self.flags}", "-o", work / program, package],
                what=f"building {program}", cwd=self.folder, env=env, log=work / "build.log",
                hint="module downloads come from the Go module proxy: is the network there?",
            )  # fmt: skip
            rows.append((program, self.version, f"Go package {self._origin(package)}", work / program))
        (work / "info.json").write_text(components(*rows))


def _kubernetes(spec: Spec) -> list[GoStep]:
    version = spec.versions.kubernetes
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    flags = (
        f"-X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} "
        f"-X {package}.gitTreeState=clean -X {package}/verflag.programName=Kubernetes"
    )
    calico = spec.versions.calico
    root = "github.com/projectcalico/calico"
    told = [
        "main.VERSION", f"{root}/node/pkg/lifecycle/startup.VERSION", f"{root}/node/buildinfo.GitVersion",
        f"{root}/felix/buildinfo.GitVersion", f"{root}/calicoctl/calicoctl/commands.VERSION",
        f"{root}/calicoctl/calicoctl/commands/common.VERSION",
    ]  # fmt: skip
    plugins = "github.com/containernetworking/plugins/plugins"
    return [
        GoStep("kubernetes", version, 480, {"kubernetes": "."}, flags=flags),
        GoStep(
            "agnhost", version, 25, {"agnhost": "k8s.io/kubernetes/test/images/agnhost"}, folder="kubernetes"
        ),
        GoStep("etcd", spec.versions.etcd, 45, {"etcd": "go.etcd.io/etcd/server/v3"}),
        GoStep("coredns", spec.versions.coredns, 90, {"coredns": "."}),
        GoStep(
            "calico",
            calico,
            210,
            {
                "calico-node": f"{root}/node/cmd/calico-node",
                "calico": f"{root}/cni-plugin/cmd/calico",
                "install": f"{root}/cni-plugin/cmd/install",
                "calicoctl": f"{root}/calicoctl/calicoctl",
                "kube-controllers": f"{root}/kube-controllers/cmd/kube-controllers",
                "check-status": f"{root}/kube-controllers/cmd/check-status",
                "first-block": "./first-block",
            },
            flags=" ".join(f"-X {name}={calico}" for name in told),
        ),
        GoStep(
            "cni",
            spec.versions.cni_plugins,
            30,
            {
                "bandwidth": f"{plugins}/meta/bandwidth", "bridge": f"{plugins}/main/bridge",
                "host-local": f"{plugins}/ipam/host-local", "loopback": f"{plugins}/main/loopback",
                "portmap": f"{plugins}/meta/portmap", "ptp": f"{plugins}/main/ptp",
            },
        ),
    ]  # fmt: skip


def module_folder(step: str, module: str) -> Path:
    """Where the Go command keeps the sources of a module of lab/image/<step>/go.mod.

    They are fetched if they are not there, and checked against go.sum.
    """
    pins = (IMAGE / step / "go.mod").read_text()
    pin = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", pins, re.MULTILINE)
    if pin is None:
        raise LabError(f"lab/image/{step}/go.mod does not name {module}")
    said = shell.run(
        [go_tool(), "mod", "download", "-json", f"{module}@{pin[1]}"],
        what=f"fetching the sources of {module}", cwd=IMAGE / step, env={**os.environ, "GOTOOLCHAIN": "local"},
    )  # fmt: skip
    return Path(json.loads(said)["Dir"])


# --- Debian ------------------------------------------------------------------


class Kernel(Step):
    """The kernel that runs as a process, without modules."""

    name = "kernel"
    expected = 300.0

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def inputs(self) -> Iterable[str | Path]:
        debian = self.spec.debian
        files = [IMAGE / "kernel/kernel.config", *KERNEL_PATCHES]
        return ["kernel-3", debian.mirror, *debian.kernel_sources, *files]

    def build(self, work: Path) -> None:
        log = work / "build.log"
        with_source = work / "source"
        package, version, archive = _fetch_kernel_source(self.spec, with_source, log)
        source = work / "linux-source"
        source.mkdir()
        shell.run(
            ["tar", "-C", str(source), "--strip-components=1", "-xJf", str(archive)],
            what="unpacking the kernel",
            log=log,
        )
        patched = _patch(source, log)
        make = ["make", "ARCH=um", f"-j{len(os.sched_getaffinity(0))}"]
        config = f"KCONFIG_ALLCONFIG={IMAGE / 'kernel/kernel.config'}"
        fixed = {
            **os.environ,
            "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
            "KBUILD_BUILD_USER": "lab",
            "KBUILD_BUILD_HOST": "lab",
        }
        shell.run([*make, config, "allnoconfig"], what="configuring the kernel", cwd=source, log=log, env=fixed)
        _check_config(source)
        shell.run([*make, "linux"], what="compiling the kernel", cwd=source, log=log, env=fixed)
        shell.run(["strip", "-o", work / "linux", source / "linux"], what="stripping the kernel")
        shutil.copy(source / ".config", work / "config")
        shutil.rmtree(source)
        shutil.rmtree(with_source)
        origin = ", ".join([f"Debian package {package}", *patched])
        (work / "info.json").write_text(components(("linux", version, origin, work / "linux")))


KERNEL_PATCHES = sorted((IMAGE / "kernel").glob("*.patch"))
"""Faults of Linux in user mode that are mended here; each patch says what is seen without it."""


def _patch(source: Path, log: Path) -> list[str]:
    """Mend what can be mended, and name it.

    A patch that does not fit is left out: Debian's sources move on, and a kernel without it still works
    most of the time. A test on the running lab sees the fault that comes back with it.
    """
    done = []
    for path in KERNEL_PATCHES:
        command = ["patch", "--directory", str(source), "--strip=1", "--force", "--input", str(path)]
        try:
            shell.run([*command, "--dry-run"], what=f"does {path.name} fit this kernel", log=log)
        except LabError:
            with log.open("a") as stream:
                stream.write(f"{path.name} does not fit this kernel: it is left out\n")
            continue
        shell.run(command, what=f"patching the kernel: {path.name}", log=log)
        done.append(path.name)
    return done


NEWER = {"NETFILTER_XTABLES_LEGACY", "IP_NF_IPTABLES_LEGACY", "IP6_NF_IPTABLES_LEGACY"}
"""Options of the kernel that came after 6.12: there, what they switch on cannot be switched off."""


def _check_config(source: Path) -> None:
    """An option that the kernel's own rules dropped in silence is found here, not on a node."""
    wanted = re.findall(r"^CONFIG_(\w+)=y", (IMAGE / "kernel/kernel.config").read_text(), re.MULTILINE)
    have = (source / ".config").read_text()
    missing = [name for name in wanted if f"CONFIG_{name}=y\n" not in have]
    if missing and NEWER.issuperset(missing):
        known = "".join(path.read_text() for path in (source / "net").rglob("Kconfig*"))
        missing = [name for name in missing if re.search(rf"^config {name}$", known, re.MULTILINE)]
    if missing:
        raise LabError(
            f"the kernel's configuration lost {len(missing)} options", detail=" ".join(missing),
            hint="rename or remove them in lab/image/kernel/kernel.config",
        )  # fmt: skip


def _fetch_kernel_source(spec: Spec, folder: Path, log: Path) -> tuple[str, str, Path]:
    """Package, version and archive of the first listed kernel source that the mirror has.

    apt checks Debian's signature; it works in folders of its own, never in the host's.
    """
    suites = sorted({source.split("/")[1] for source in spec.debian.kernel_sources})
    apt = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial", "etc"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    lines = [f"deb [signed-by={KEYRING}] {spec.debian.mirror} {suite} main" for suite in suites]
    (apt / "sources.list").write_text("\n".join(lines) + "\n")
    options = {
        "Dir::State": apt, "Dir::State::status": apt / "status", "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt / "cache", "Dir::Etc::sourcelist": apt / "sources.list", "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-", "Dir::Etc::trustedparts": "-", "APT::Sandbox::User": "root",
        "APT::Architecture": "amd64", "APT::Architectures": "amd64",
    }  # fmt: skip
    get = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    network = "is the network there? the Debian mirror is named in lab/cluster.yaml"
    shell.run([*get, "update"], what="reading Debian's package lists", log=log, hint=network)
    for source in spec.debian.kernel_sources:
        package = source.split("/")[0]
        try:
            shell.run([*get, "download", source], what=f"fetching {package}", cwd=folder, log=log, hint=network)
        except LabError:
            continue
        [deb] = folder.glob(f"{package}_*.deb")
        shell.run(["dpkg-deb", "-x", deb, folder / "tree"], what=f"unpacking {package}", log=log)
        [archive] = (folder / "tree/usr/src").glob("linux-source-*.tar.xz")
        return package, deb.name.split("_")[1].replace("%3a", ":"), archive
    names = ", ".join(spec.debian.kernel_sources)
    raise LabError(
        f"the mirror has none of {names}", hint="name a newer one in lab/cluster.yaml, debian.kernel_sources"
    )


PAUSE = "3.10.2"
"""Release of the pause container, the one that this kubeadm names."""


class Pause(Step):
    """The program that holds a pod's namespaces open: one file of C in Kubernetes' own sources."""

    name = "pause"
    expected = 5.0

    def inputs(self) -> Iterable[str | Path]:
        return ["pause-1", *_processor(), PAUSE, IMAGE / "kubernetes/go.sum"]

    def build(self, work: Path) -> None:
        source = module_folder("kubernetes", "k8s.io/kubernetes") / "build/pause/linux/pause.c"
        compiler = ["gcc", "-Os", "-static", f"-DVERSION={PAUSE}", "-o"]
        shell.run([*compiler, work / "pause", source], what="compiling pause", log=work / "build.log")
        origin = "Go module k8s.io/kubernetes, build/pause"
        (work / "info.json").write_text(components(("pause", PAUSE, origin, work / "pause")))


class Rootfs(Step):
    """Debian with the packages of a node, as a tar."""

    name = "rootfs"
    expected = 60.0

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def inputs(self) -> Iterable[str | Path]:
        return ["rootfs-1", *_processor(), self.spec.debian.suite, self.spec.debian.mirror, IMAGE / "packages.txt"]

    def build(self, work: Path) -> None:
        debian = self.spec.debian
        text = (IMAGE / "packages.txt").read_text()
        names = [line for line in text.splitlines() if line and not line.startswith("#")]
        lean = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")]
        sources = [
            f"deb [signed-by={KEYRING}] {debian.mirror} {suite} main"
            for suite in (debian.suite, f"{debian.suite}-updates")
        ]
        shell.run(
            [
                "mmdebstrap", "--variant=essential", f"--mode={'root' if os.getuid() == 0 else 'unshare'}",
                "--format=tar", "--aptopt=Apt::Install-Recommends false", *lean,
                f"--include={','.join(names)}", debian.suite, work / "rootfs.tar", *sources,
            ],
            what="installing Debian's packages", log=work / "build.log",
            hint="is the network there? the Debian mirror is named in lab/cluster.yaml",
        )  # fmt: skip
        rows = [(name, version, "Debian package", None) for name, version in _installed(work / "rootfs.tar")]
        (work / "info.json").write_text(components(*rows))


def _installed(rootfs: Path) -> list[tuple[str, str]]:
    status = shell.run(["tar", "-xOf", rootfs, "./var/lib/dpkg/status"], what="reading the package list")
    return re.findall(r"^Package: (\S+)\n(?:.*\n)*?Version: (\S+)$", status, re.MULTILINE)


# --- images and disk ---------------------------------------------------------


class Images(Step):
    """Every container image of the cluster, in one archive."""

    name = "images"
    expected = 15.0

    def __init__(self, spec: Spec, store: Store, needs: tuple[Step, ...]) -> None:
        self.spec, self.store, self.needs = spec, store, needs

    def inputs(self) -> Iterable[str | Path]:
        return ["images-1", IMAGE / "oci.py", IMAGE / "images.py", *tree(IMAGE / "calico/confd")]

    def build(self, work: Path) -> None:
        from lab.image.images import all_images

        products = {step.name: self.store.path(step) for step in self.needs}
        images = all_images(self.spec, products)
        oci.write_archive(work / "images.tar", images)
        rows: list[tuple[str, str, str, Path | None]] = []
        for image in images:
            name, version = image.reference.rsplit(":", 1)
            rows.append((name, version, "image assembled here", None))
        (work / "info.json").write_text(components(*rows))


class Disk(Step):
    """The read-only disk below every node's copy-on-write disk."""

    name = "disk"
    expected = 60.0

    def __init__(self, spec: Spec, store: Store, needs: tuple[Step, ...]) -> None:
        self.spec, self.store, self.needs = spec, store, needs

    def inputs(self) -> Iterable[str | Path]:
        return [
            "disk-3",
            DISK_SIZE,
            PROVISION / "node.sh",
            *tree(PROVISION / "files"),
            *tree(IMAGE / "guest"),
        ]

    def build(self, work: Path) -> None:
        from lab.image import disk

        products = {step.name: self.store.path(step) for step in self.needs}
        disk.build(self.spec, products, work)
        (work / "info.json").write_text(components())


def all_steps(spec: Spec | None = None, store: Store | None = None) -> list[Step]:
    """Every step, each after those it needs.

    Only an x86-64 host has the nodes in user mode, and what they alone need: Linux runs as a process on no other.
    """
    spec = spec or load_spec()
    store = store or default_store()
    programs = _kubernetes(spec)
    rootfs, pause = Rootfs(spec), Pause()
    images = Images(spec, store, (*programs, pause, rootfs))
    if architecture() != "amd64":
        return [rootfs, *programs, pause, images]
    kernel = Kernel(spec)
    return [kernel, rootfs, *programs, pause, images, Disk(spec, store, (*programs, kernel, rootfs, images))]


def default_store() -> Store:
    """The store of this user's cache."""
    return Store(cache_dir() / "products")
