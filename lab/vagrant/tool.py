"""Calls of `vagrant`, and what its failures mean in words."""

import fcntl
import functools
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError
from lab.paths import ROOT

PROGRAMS = {
    "vagrant": "vagrant",
    "libvirtd": "libvirt-daemon-system",
    "virtlogd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "qemu-system-x86_64": "qemu-system-x86",
    "dnsmasq": "dnsmasq-base",
    "iptables": "iptables",
    "openssl": "openssl",
    "ssh": "openssh-client",
    "rsync": "rsync",
}
"""Programs that virtual machines need, and the Debian package of each; the plugin has no program of its own."""

BOX_PROGRAMS = {"qemu-img": "qemu-utils", "grub-mkimage": "grub-common", "dd": "coreutils"}
"""Programs that the build of the box needs besides those of `lab build`."""

PLUGIN = "vagrant-libvirt"
INSTALL = "https://developer.hashicorp.com/vagrant/install"
APT_LISTS = Path("/var/lib/apt/lists")
GRUB_PACKAGE = "grub-pc-bin"

EMULATED = 8.0
"""How many times longer what is waited for may take where the processor is emulated."""
FRESH = "make the machines anew: lab up --carrier vagrant --fresh"

MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"provider '\S+' could not be found|plugins? '?vagrant-libvirt'? (?:is|are) not installed",
        "vagrant has no provider of that name: its plugin is missing",
        "sudo apt-get install vagrant-libvirt, or elsewhere: vagrant plugin install vagrant-libvirt",
    ),
    (
        r"could not detect VirtualBox|\"VBoxManage\" command or one of its dependencies could not be found|"
        r"VirtualBox is complaining that the (?:installation is incomplete|kernel module is not loaded)",
        "the provider VirtualBox is not installed on this machine, or not wholly",
        "VBoxManage --version says more; install it from its maker, or take libvirt: vagrant up --provider=libvirt",
    ),
    (
        r"No usable default provider could be found",
        "vagrant finds no provider on this machine: neither its plugin for libvirt nor VirtualBox",
        "install one, then name it: vagrant plugin install vagrant-libvirt; vagrant up --provider=libvirt",
    ),
    (
        r"not within the\s+allowed ranges",
        "VirtualBox refuses the nodes' private network: its list of allowed ranges does not have it",
        "take a network inside 192.168.56.0/21 in lab/cluster.yaml, or name yours in /etc/vbox/networks.conf",
    ),
    (
        # "Box 'x' could not be found. Attempting to find and install" is no failure: each first start says it.
        r"There is no box yet|Couldn't open file|[Bb]ox '\S+' could not be found(?!\. Attempting)|"
        r"[Bb]ox '\S+' does not exist|Box file .* (?:not|does not) exist",
        "there is no box to make the machines of",
        "make it: lab box; or take any Debian 13 box: LAB_BOX=NAME vagrant up",
    ),
    (
        r"What the nodes are given is not there yet",
        "what the nodes are given was not laid down yet",
        "lay it down: lab box --files",
    ),
    (r"this box is .*, and the nodes are Debian 13", "the box is not Debian 13", "name one that is: LAB_BOX=NAME"),
    (
        r"Timed out while waiting for the machine to boot|guest machine entered an invalid state|"
        r"Waiting for domain to get an IP address.*timed out",
        "a machine was started and did not become reachable",
        "is this host very busy? again: lab up --carrier vagrant; if that fails too, with --fresh",
    ),
    (
        r"The specified wait_for timeout \([\d.]+ seconds\) was exceeded",
        "a machine runs and has no address: it did not boot, or has not yet",
        "is this host very busy? again: lab up --carrier vagrant; if that fails too, with --fresh",
    ),
    (
        r"Authentication failure|SSH authentication failed|Permission denied \(publickey",
        "a machine refuses Vagrant's ssh key",
        FRESH,
    ),
    (
        r"(?:failed to connect|Error while connecting) to .*[Ll]ibvirt|Call to virConnectOpen failed",
        "libvirt does not answer",
        "is it installed and running? lab doctor --carrier vagrant",
    ),
    (
        r"could not get preferred machine|KVM.*(?:is not|unavailable)|Could not access KVM",
        "the machines cannot run on KVM here",
        "is /dev/kvm yours to use? add yourself to the group kvm",
    ),
    (
        r"(?:[Dd]omain|[Nn]etwork|bridge) .*(?:already exists|is already in use|already taken)",
        "something of that name or address is there already, made by another project",
        "see what: virsh list --all; virsh net-list --all",
    ),
    (
        r"(?:[Ii]nsufficient|No) space|not enough space",
        "the disk is full",
        "free some, or choose another place: LAB_STATE=/path lab up --carrier vagrant",
    ),
)
"""A pattern of vagrant's own words, what it means, and the next command."""


def missing(*, build: bool) -> list[str]:
    """Debian packages that this host lacks for virtual machines, and that its apt has.

    Args:
        build: Also those that the build of the box needs.
    """
    path = _path()
    wanted = PROGRAMS | (BOX_PROGRAMS if build else {})
    found = {package for program, package in wanted.items() if shutil.which(program, path=path) is None}
    if not has_plugin():
        found.add(PLUGIN)
    if build and not Path("/usr/lib/grub/i386-pc/boot.img").exists():
        found.add(GRUB_PACKAGE)
    return sorted(found - set(unpackaged()))


def unpackaged() -> list[str]:
    """Vagrant and its plugin, as far as this host lacks them and its apt has no such package: as on Ubuntu 24.04."""
    wanted = ["vagrant"] if shutil.which("vagrant", path=_path()) is None else []
    if not has_plugin():
        wanted.append(PLUGIN)
    return [name for name in wanted if not _apt_has(name)]


def from_their_maker(names: Sequence[str]) -> str:
    """How to install Vagrant, its plugin or both without apt."""
    program = f"install Vagrant as {INSTALL} says" if "vagrant" in names else ""
    plugin = f"vagrant plugin install {PLUGIN}" if PLUGIN in names else ""
    return ", then: ".join(part for part in (program, plugin) if part)


def _apt_has(package: str) -> bool:
    """Whether apt has a package; taken for granted where its lists were never fetched: then it knows none."""
    if not any(APT_LISTS.glob("*_Packages*")):
        return True
    try:
        done = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True, check=False)
    except OSError:
        return True
    return done.returncode == 0 and bool(done.stdout.strip())


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def has_plugin() -> bool:
    """Whether Vagrant's plugin for libvirt is there: Debian's, or one that Vagrant installed."""
    if Path(f"/usr/share/vagrant-plugins/plugins.d/{PLUGIN}.json").exists():
        return True
    with suppress(OSError):
        return PLUGIN in (_users_home() / "plugins.json").read_text()
    return False


def _users_home() -> Path:
    return Path(os.environ.get("VAGRANT_HOME", Path.home() / ".vagrant.d"))


def take_plugins(home: Path) -> None:
    """Let the lab's own Vagrant home see the plugins that the user has installed."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("plugins.json", "gems"):
        source, link = _users_home() / name, home / name
        if source.exists() and not link.exists():
            link.symlink_to(source)


@functools.cache
def kvm() -> bool:
    """Whether this machine's processor runs guests itself.

    The file alone does not tell, and neither does a machine made by it: a KVM without the processor's help
    (PVM) makes some and then runs only kernels that know it.
    """
    if os.uname().machine == "x86_64" and not re.search(
        r"^flags\s*:.* (vmx|svm)\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE
    ):
        return False
    try:
        with open("/dev/kvm", "r+b", buffering=0) as device:
            if fcntl.ioctl(device, 0xAE00, 0) != 12:  # KVM_GET_API_VERSION
                return False
            os.close(fcntl.ioctl(device, 0xAE01, 0))  # KVM_CREATE_VM
            return True
    except OSError:
        return False


def slowness() -> float:
    """How many times longer anything may take on the machines: more where their processor is emulated."""
    return 1.0 if kvm() else EMULATED


def explain(output: str, what: str, log: Path) -> LabError:
    """What vagrant's output means, with the next command."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip() and "Progress:" not in line]
    tail = "\n".join(lines[-12:])
    flat = " ".join(output.split())
    for pattern, meaning, hint in MEANINGS:
        if re.search(pattern, flat):
            return LabError(f"{what}: {meaning}", detail=tail, hint=hint)
    return LabError(f"{what}: vagrant failed", detail=tail, hint=f"whole log: {log}")


def run(command: Sequence[str], *, what: str, log: Path, limit: float, say: Callable[[str], None] | None = None) -> str:
    """Run vagrant to its end; its output goes to a log, and the lines that tell of progress to `say`.

    Args:
        command: `vagrant` and its words, with what leads into the lab's namespaces before it.
        what: What is being done, in words; begins the error message.
        limit: Seconds before it is stopped.

    Raises:
        LabError: It is missing, failed, or ran over its time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    heard: list[str] = []
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", cwd=ROOT, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise LabError(f"{what}: the program {command[0]} is missing", hint="lab doctor --carrier vagrant") from None
    timer = _ending(process, limit)
    with process, log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Progress:" in line:
                    continue
                heard.append(line)
                stream.write(line)
                stream.flush()
                if say is not None and line.startswith("==> "):
                    say(line[4:].rstrip())
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
    if status != 0:
        if time.monotonic() - begin >= limit:
            raise LabError(f"{what}: no end within {limit:.0f} s", detail="".join(heard[-8:]), hint=f"whole log: {log}")
        raise explain("".join(heard), what, log)
    return "".join(heard)


def _ending(process: "subprocess.Popen[str]", limit: float) -> "threading.Timer":
    timer = threading.Timer(limit, _end, [process])
    timer.daemon = True
    timer.start()
    return timer


def _end(process: "subprocess.Popen[str]") -> None:
    """End vagrant with all that it started; politely it would first tidy up for minutes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def obstacle() -> str:
    """What keeps `make test` from installing Vagrant, and what to do; empty for nothing."""
    names = unpackaged()
    return f"apt has no package {' and no package '.join(names)}; {from_their_maker(names)}" if names else ""


if __name__ == "__main__":
    print(obstacle())
