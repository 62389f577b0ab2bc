"""Container images, assembled file by file; the same inputs give the same bytes.

An image needs no more than a static program and a configuration. What a few of them
need besides (iptables, BIRD, a shell) is taken from the packages of the nodes' own file system.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.image.processor import architecture

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

APPLETS = [
    "awk",
    "basename",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "du",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "free",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nc",
    "nslookup",
    "od",
    "ping",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "sh",
    "sha1sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "tee",
    "telnet",
    "test",
    "time",
    "timeout",
    "top",
    "touch",
    "tr",
    "traceroute",
    "true",
    "tty",
    "umount",
    "uname",
    "uniq",
    "uptime",
    "vi",
    "wc",
    "wget",
    "which",
    "whoami",
    "xargs",
    "yes",
]
"""Programs that an image's busybox answers to."""

SKIP = {
    "adduser",
    "debconf",
    "dpkg",
    "init-system-helpers",
    "perl-base",
    "sensible-utils",
    "sysuser-helper",
    "ucf",
}
"""Dependencies that only a package's installation needs."""


@dataclass(frozen=True)
class Layer:
    """One layer: an uncompressed tar."""

    data: bytes

    @property
    def digest(self) -> str:
        """Digest of the tar, as OCI writes it."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Image:
    """An image: its reference, its layers from the lowest, and how it starts."""

    reference: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = (PATH,)
    labels: dict[str, str] = field(default_factory=dict)


class LayerBuilder:
    """Collects files into a layer."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def file(self, name: str, source: Path | bytes, mode: int = 0o755) -> None:
        """Add one file under the path `name` (no leading slash), and the folders above it."""
        data = source if isinstance(source, bytes) else source.read_bytes()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), mode
        self._add(info, data)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        self._add(info, b"")

    def folder(self, name: str, mode: int = 0o755) -> None:
        """Add an empty folder."""
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._entries.setdefault(name, (info, b""))

    def packages(self, rootfs: Path, names: Iterable[str]) -> None:
        """Add the files of Debian packages and of all that they depend on.

        Args:
            rootfs: Tar of a file system in which the packages are installed.
        """
        wanted = _package_files(rootfs, names)
        for top in ("bin", "sbin", "lib", "lib64"):
            self.link(top, f"usr/{top}")
        with tarfile.open(rootfs) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if name not in wanted or member.isdir():
                    continue
                stream = tar.extractfile(member) if member.isreg() else None
                if member.islnk():  # a hard link: its content may lie outside the selection
                    stream = tar.extractfile(member)
                info = tarfile.TarInfo(name)
                info.mode = member.mode
                if member.issym():
                    info.type, info.linkname = tarfile.SYMTYPE, member.linkname
                data = stream.read() if stream else b""
                info.size = len(data)
                self._add(info, data)

    def shell(self) -> None:
        """Let busybox, which must be among the packages, answer to its programs' names."""
        for applet in APPLETS:
            if f"usr/bin/{applet}" not in self._entries:
                self.link(f"usr/bin/{applet}", "busybox")

    def layer(self) -> Layer:
        """The layer, with names in order and without times or owners."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(self._entries):
                info, data = self._entries[name]
                tar.addfile(info, io.BytesIO(data))
        return Layer(out.getvalue())

    def _add(self, info: tarfile.TarInfo, data: bytes) -> None:
        parts = info.name.split("/")
        for depth in range(1, len(parts)):
            self.folder("/".join(parts[:depth]))
        self._entries[info.name] = (info, data)


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write images as one OCI layout in a tar, which `ctr images import` reads."""
    index = []
    done: set[str] = set()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:

        def blob(data: bytes) -> str:
            digest = hashlib.sha256(data).hexdigest()
            if digest not in done:
                done.add(digest)
                _put(tar, f"blobs/sha256/{digest}", data)
            return f"sha256:{digest}"

        _put(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for image in images:
            layers = []
            for layer in image.layers:
                layers.append(
                    {
                        "mediaType": "application/vnd.oci.image.layer.v1.tar",
                        "digest": blob(layer.data),
                        "size": len(layer.data),
                    }
                )
            config = _config(image)
            manifest = _json(
                {
                    "schemaVersion": 2,
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": {
                        "mediaType": "application/vnd.oci.image.config.v1+json",
                        "digest": blob(config),
                        "size": len(config),
                    },
                    "layers": layers,
                }
            )
            index.append(
                {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": blob(manifest),
                    "size": len(manifest),
                    "annotations": {"io.containerd.image.name": image.reference},
                }
            )
        _put(tar, "index.json", _json({"schemaVersion": 2, "manifests": index}))


def _config(image: Image) -> bytes:
    return _json(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Env": list(image.env),
                "Entrypoint": list(image.entrypoint),
                "Cmd": list(image.command),
                "Labels": image.labels,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        }
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def _package_files(rootfs: Path, names: Iterable[str]) -> set[str]:
    """Paths of the packages' files and of their dependencies', as the tar names them."""
    lists: dict[str, list[str]] = {}
    status = ""
    with tarfile.open(rootfs) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name == "var/lib/dpkg/status":
                stream = tar.extractfile(member)
                status = stream.read().decode() if stream else ""
            elif match := re.fullmatch(r"var/lib/dpkg/info/([^:/]+)(:\w+)?\.list", name):
                stream = tar.extractfile(member)
                lists[match[1]] = stream.read().decode().split("\n") if stream else []
    packages, providers = _parse_status(status)
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        name = name if name in packages else providers.get(name, name)
        if name in wanted or name in SKIP:
            continue
        if name not in packages:
            raise LabError(f"package {name} is not in the nodes' file system", hint="add it to lab/image/packages.txt")
        wanted.add(name)
        for clause in packages[name]:
            choices = [c for c in clause if c in packages or c in providers]
            queue += choices[:1]
    return {path.lstrip("/") for name in wanted for path in lists[name] if path.strip("/.")}


def _parse_status(status: str) -> tuple[dict[str, list[list[str]]], dict[str, str]]:
    """Each package's dependencies as lists of alternatives, and who provides a virtual package."""
    packages: dict[str, list[list[str]]] = {}
    providers: dict[str, str] = {}
    for stanza in status.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))
        if "Package" not in fields:
            continue
        depends = ", ".join(fields[k] for k in ("Pre-Depends", "Depends") if k in fields)
        packages[fields["Package"]] = [
            [re.split(r"[ :(]", choice.strip())[0] for choice in clause.split("|")]
            for clause in depends.split(",")
            if clause.strip()
        ]
        for virtual in fields.get("Provides", "").split(","):
            providers.setdefault(re.split(r"[ (]", virtual.strip())[0], fields["Package"])
    return packages, providers
