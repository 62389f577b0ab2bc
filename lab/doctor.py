"""What this host lacks, and the exact command that repairs it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.carriers.uml import load_state
from lab.errors import LabError
from lab.image.steps import KEYRING, go_tool
from lab.spec import Spec, load_spec

RUN_PROGRAMS = {
    "ip": "iproute2",
    "ethtool": "ethtool",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "taskset": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Programs that a running lab needs, and the Debian package of each."""

BUILD_PROGRAMS = {
    "apt-get": "apt",
    "bc": "bc",
    "bison": "bison",
    "cc": "gcc",
    "dpkg-deb": "dpkg",
    "flex": "flex",
    "gzip": "gzip",
    "make": "make",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "patch": "patch",
    "perl": "perl",
    "strip": "binutils",
    "tar": "tar",
    "xz": "xz-utils",
}
"""Programs that the image build needs besides."""

BUILD_MEMORY = 2048
"""MiB of the kernel in user mode that fills the nodes' disk during the build."""

ROOTLESS_PROGRAMS = {"fakeroot": "fakeroot", "newuidmap": "uidmap"}
"""Programs that the image build of an ordinary user needs besides."""


@dataclass(frozen=True)
class Finding:
    """Something that is missing: what, and the command that repairs it."""

    what: str
    repair: str


def packages(*, build: bool, machines: bool = False) -> list[str]:
    """Debian packages that this host lacks, in order.

    Args:
        build: Also those that the image build needs.
        machines: Also those that virtual machines and their box need.
    """
    wanted = dict(RUN_PROGRAMS)
    if build:
        wanted |= BUILD_PROGRAMS
        if os.getuid():
            wanted |= ROOTLESS_PROGRAMS
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for program, package in wanted.items() if shutil.which(program, path=path) is None}
    if build and not KEYRING.exists():
        missing.add("debian-archive-keyring")
    if build and not Path("/usr/include/stdlib.h").exists():
        missing.add("libc6-dev")
    if machines:
        from lab.vagrant import tool

        missing |= set(tool.missing(build=build))
    return sorted(missing)


def memory(spec: Spec) -> int:
    """MiB that the nodes may still take: all of what is described for each, but of those that run already."""
    try:
        state = load_state()
    except LabError:  # another user's; what runs there is used already
        state = None
    return sum(node.memory for node in spec.nodes if state is None or not state.kernel_alive(node.name))


def examine(
    *, build: bool = True, machines: bool = False, kernels: bool = True, workers: int | None = None
) -> list[Finding]:
    """Look at this host.

    Args:
        build: Also look for what the image build needs.
        machines: Also look for what virtual machines need.
        kernels: Also ask whether kernels in user mode run here; the lab's own box is filled by one.
        workers: How many of them are to run; None for those that are described.
    """
    findings = []
    if missing := packages(build=build, machines=machines):
        sudo = "sudo " if os.getuid() else ""
        command = f"{sudo}apt-get install --yes --no-install-recommends {' '.join(missing)}"
        findings.append(Finding(f"packages are missing: {', '.join(missing)}", command))
    if machines:
        from lab.vagrant import tool

        if names := tool.unpackaged():
            findings.append(
                Finding(f"missing, and apt has no such package: {', '.join(names)}", tool.from_their_maker(names))
            )
    spec = load_spec()
    spec = spec if workers is None else spec.with_workers(workers)
    wanted = max(memory(spec) if kernels else 0, BUILD_MEMORY if build else 0)
    checks: list[Callable[[], Finding | None]] = [_namespaces, lambda: _shared_memory(wanted)]
    if kernels:
        checks.insert(0, _architecture)
    if build:
        checks += [_subordinate_ids, _go]
    findings += [finding for check in checks if (finding := check()) is not None]
    return findings


def require(*, build: bool, machines: bool = False, kernels: bool = True, workers: int | None = None) -> None:
    """Refuse to go on when something is missing; arguments as for `examine`.

    Raises:
        LabError: Names everything that is missing, with the commands that repair it.
    """
    findings = examine(build=build, machines=machines, kernels=kernels, workers=workers)
    if findings:
        detail = "\n".join(f"{finding.what}\n  repair: {finding.repair}" for finding in findings)
        raise LabError("this host lacks something", detail=detail, hint="look again afterwards: lab doctor")


def _architecture() -> Finding | None:
    machine = os.uname().machine
    if machine == "x86_64":
        return None
    other = "lab box --other makes what virtual machines of any Debian 13 box are given"
    return Finding(f"user-mode kernels run on x86_64, this is {machine}", f"use an x86_64 machine; or {other}")


def _namespaces() -> Finding | None:
    """An ordinary user needs user namespaces; the files say whether they are allowed."""
    if os.getuid() == 0:
        return None
    limits = {
        "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl -w user.max_user_namespaces=15000"),
        "/proc/sys/kernel/unprivileged_userns_clone": (
            "0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    }
    for name, (bad, repair) in limits.items():
        path = Path(name)
        if path.exists() and path.read_text().strip() == bad:
            return Finding("this host forbids user namespaces to ordinary users", repair)
    return None


def _shared_memory(wanted: int) -> Finding | None:
    """A user-mode kernel's memory is a file in /dev/shm, which grows with what the kernel touches."""
    status = os.statvfs("/dev/shm")
    free = status.f_bavail * status.f_frsize // 2**20
    if free >= wanted:
        return None
    used = (status.f_blocks - status.f_bavail) * status.f_frsize // 2**20
    size = -(-(used + wanted) // 1024)
    sudo = "sudo " if os.getuid() else ""
    return Finding(
        f"/dev/shm has {free} MiB left, {wanted} MiB are wanted for the nodes' memory",
        f"{sudo}mount -o remount,size={size}G /dev/shm",
    )


def _subordinate_ids() -> Finding | None:
    """Mmdebstrap as an ordinary user maps a range of ids."""
    if os.getuid() == 0:
        return None
    import pwd

    name = pwd.getpwuid(os.getuid()).pw_name
    try:
        lines = Path("/etc/subuid").read_text().splitlines()
    except OSError:
        lines = []
    if any(line.split(":")[0] in (name, str(os.getuid())) for line in lines):
        return None
    return Finding(
        f"{name} has no range of subordinate ids",
        f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}",
    )


def _go() -> Finding | None:
    try:
        go_tool()
    except LabError as error:
        return Finding(error.summary, "make setup")
    return None
