"""Process 1 of the namespaces that the virtual machines live in: makes a libvirt of their own there, then waits.

The daemons, bridges, name servers and machines all live below this process: nothing of them is seen by the
host's own libvirt or network, and the kernel ends all of it when this process ends.
"""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from lab.carriers.holder import wait
from lab.vagrant.tool import kvm

LIMIT = 60.0
"""Seconds until libvirt listens."""

POOL = "lab"
URI = "qemu:///system"
SOCKETS = ("/run/libvirt/virtlogd-sock", "/run/libvirt/libvirt-sock")
QEMU_CONF = """\
# The lab's own libvirt: its machines are confined by its namespaces and QEMU's own user.
security_driver = "none"
cgroup_controllers = []
namespaces = []
"""
LIBVIRTD_CONF = """\
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
"""


def own_folders(folder: Path) -> None:
    """Put folders of the lab in the place of the host's: what libvirt keeps, and what it would talk to."""
    etc = folder / "etc"
    (etc / "qemu/networks").mkdir(parents=True, exist_ok=True)
    (etc / "qemu.conf").write_text(QEMU_CONF)
    (etc / "libvirtd.conf").write_text(LIBVIRTD_CONF)
    (etc / "virtlogd.conf").write_text("")
    for name, target in (
        ("etc", "/etc/libvirt"), ("lib", "/var/lib/libvirt"), ("log", "/var/log/libvirt"),
        ("cache", "/var/cache/libvirt"),
    ):  # fmt: skip
        source = folder / name
        source.mkdir(parents=True, exist_ok=True)
        source.chmod(0o755)
        subprocess.run(["mount", "--bind", source, target], check=True)
    # QEMU's user finds its way to the disks here, wherever the lab keeps them.
    for name in ("lib/images", "lib/qemu", "lib/boot", "log/qemu", "cache/qemu"):
        (folder / name).mkdir(exist_ok=True)
    Path("/run/libvirt").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "libvirt", "/run/libvirt"], check=True)
    # Without these libvirt asks nobody about the machines: not systemd, not the bus.
    for hidden in ("/run/dbus", "/run/systemd"):
        if Path(hidden).exists():
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "hidden", hidden], check=True)


def hide_kvm(folder: Path) -> None:
    """Put an empty file that only root reads in the place of a /dev/kvm that is of no use.

    Libvirt would believe the device, find QEMU without it, and ask QEMU for its abilities all over again at
    every step: half a minute each time.
    """
    empty = folder / "no-kvm"
    empty.touch(mode=0o600)
    if Path("/dev/kvm").exists():
        subprocess.run(["mount", "--bind", empty, "/dev/kvm"], check=True)


def start_daemons(folder: Path) -> None:
    """Start virtlogd and libvirtd, and wait for their sockets."""
    for key in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6").write_text("1")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Libvirt makes a router of this place. What a node sends to nowhere is lost here without a word, as on
    # every carrier: else the answer that there is no way would stand in the outputs.
    subprocess.run(["ip", "route", "add", "blackhole", "default"], check=True)
    deadline = time.monotonic() + LIMIT
    for name, path in zip(("virtlogd", "libvirtd"), SOCKETS, strict=True):
        log = (folder / f"{name}.log").open("w")
        daemon = subprocess.Popen(
            [name, "--pid-file", f"/run/libvirt/{name}.pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        while not Path(path).exists():
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{name} does not listen; see {log.name}")
            time.sleep(0.05)
    virsh = ["virsh", "--quiet", "--connect", URI]
    if not (folder / f"etc/storage/{POOL}.xml").exists():
        subprocess.run([*virsh, "pool-define-as", POOL, "dir", "--target", "/var/lib/libvirt/images"], check=True)
    # A pool that it knew before is there already: libvirt takes one for started whose folder exists.
    started = subprocess.run([*virsh, "pool-list", "--name"], check=True, capture_output=True, text=True).stdout
    if POOL not in started.split():
        subprocess.run([*virsh, "pool-start", POOL], check=True)


def main() -> None:
    """Set up and wait. Argument: the folder that libvirt's files lie in."""
    folder = Path(sys.argv[1])
    own_folders(folder)
    if not kvm():
        hide_kvm(folder)
    try:
        start_daemons(folder)
    except subprocess.CalledProcessError as error:  # what it printed stands in the same log
        raise SystemExit(f"{shlex.join(map(str, error.cmd))} exited {error.returncode}") from None
    print("ready", flush=True)
    os.dup2(2, 1)
    wait()


if __name__ == "__main__":
    main()
