"""What this host lacks, and the exact command that repairs it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.image.steps import KEYRING, go_tool

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
    "perl": "perl",
    "strip": "binutils",
    "tar": "tar",
    "xz": "xz-utils",
}
"""Programs that the image build needs besides."""

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


def examine(*, build: bool = True, machines: bool = False) -> list[Finding]:
    """Look at this host.

    Args:
        build: Also look for what the image build needs.
        machines: Also look for what virtual machines need.
    """
    findings = []
    if missing := packages(build=build, machines=machines):
        sudo = "sudo " if os.getuid() else ""
        command = f"{sudo}apt-get install --yes --no-install-recommends {' '.join(missing)}"
        findings.append(Finding(f"packages are missing: {', '.join(missing)}", command))
    checks: list[Callable[[], Finding | None]] = [_architecture, _namespaces, _shared_memory]
    if build:
        checks += [_subordinate_ids, _go]
    findings += [finding for check in checks if (finding := check()) is not None]
    return findings


def require(*, build: bool, machines: bool = False) -> None:
    """Refuse to go on when something is missing.

    Raises:
        LabError: Names everything that is missing, with the commands that repair it.
    """
    findings = examine(build=build, machines=machines)
    if findings:
        detail = "\n".join(f"{finding.what}\n  repair: {finding.repair}" for finding in findings)
        raise LabError("this host lacks something", detail=detail, hint="look again afterwards: lab doctor")


def _architecture() -> Finding | None:
    machine = os.uname().machine
    if machine == "x86_64":
        return None
    return Finding(f"user-mode kernels run on x86_64, this is {machine}", "use an x86_64 machine")


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


def _shared_memory() -> Finding | None:
    """A user-mode kernel's memory is a file in /dev/shm."""
    status = os.statvfs("/dev/shm")
    free = status.f_bavail * status.f_frsize // 2**20
    if free >= 1024:
        return None
    return Finding(f"/dev/shm has {free} MiB left", "sudo mount -o remount,size=6G /dev/shm")


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
