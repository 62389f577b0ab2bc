"""Products of the build, each kept under a digest of what it was made from."""

import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from lab.errors import LabError

MANIFEST = "manifest.json"
LOG = "build.log"


class Step(ABC):
    """One product: how it is made, and what it is made from.

    Attributes:
        name: Short name; with the key it names the folder of the product.
        expected: Seconds that a first build took on two cores; for the progress display.
        needs: Steps whose products this one is made from.
        shares: What it compiles together with other steps of the same word: side by side, each would do it all.
    """

    name: str
    expected: float
    needs: tuple["Step", ...] = ()
    shares: str = ""

    @abstractmethod
    def inputs(self) -> Iterable[str | Path]:
        """All that the product depends on besides `needs`: strings, and files by content."""

    @abstractmethod
    def build(self, work: Path) -> None:
        """Make the product's files in the empty folder `work`.

        `work / "info.json"` tells the components inside, see `lab.image.components`.
        """

    @cached_property
    def key(self) -> str:
        """Digest of everything that the product is made from."""
        digest = hashlib.sha256(self.name.encode())
        for item in self.inputs():
            data = item.read_bytes() if isinstance(item, Path) else item.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        for step in self.needs:
            digest.update(step.key.encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Store:
    """The folder of products; one folder per step and key."""

    root: Path

    def path(self, step: Step) -> Path:
        """Where the product of this step is, or will be."""
        return self.root / f"{step.name}-{step.key}"

    def has(self, step: Step) -> bool:
        """Whether the product is there and whole.

        Files are compared by size and time of change; a file whose time differs is read
        and compared by digest. So the usual answer takes milliseconds.
        """
        return not self.faults(step)

    def faults(self, step: Step, *, thorough: bool = False) -> list[str]:
        """What is wrong with a product: names of files that are missing or changed.

        Args:
            step: Whose product.
            thorough: Read every file, also those whose time and size did not change.
        """
        folder = self.path(step)
        try:
            manifest: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_text())
        except (OSError, ValueError):
            return [MANIFEST]
        return [name for name, entry in manifest.items() if not _same(folder / name, entry, thorough)]

    def ensure(self, step: Step) -> Path:
        """The product's folder, built now if it is not there; what it needs must be there.

        A build that was killed leaves only a folder that ends in `.work`; it is removed
        by the next build. Two processes that build at once wait for each other.

        Raises:
            LabError: The build failed, or the disk is full.
        """
        done = self.path(step)
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{done}.lock"):
            if self.has(step):
                return done
            work = Path(f"{done}.work")
            for left in (work, done):
                shutil.rmtree(left, ignore_errors=True)
            work.mkdir()
            try:
                step.build(work)
                _write_manifest(work)
                work.rename(done)
            except LabError as error:
                raise LabError(
                    error.summary,
                    detail=error.detail,
                    hint=error.hint.replace(str(work / LOG), str(self.log(step))),
                ) from None
            except OSError as error:
                raise LabError(
                    f"building {step.name}: {error.strerror}: {error.filename or self.root}",
                    hint=f"free space there, or choose another place with LAB_CACHE=/path; {free_space(self.root)}",
                ) from None
            finally:
                self._keep_log(step, work)
                shutil.rmtree(work, ignore_errors=True)
        return done

    def log(self, step: Step) -> Path:
        """The log of this step's last build that failed."""
        return self.root / "logs" / f"{step.name}.log"

    def _keep_log(self, step: Step, work: Path) -> None:
        if (work / LOG).exists():
            self.log(step).parent.mkdir(exist_ok=True)
            shutil.copyfile(work / LOG, self.log(step))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def free_space(folder: Path) -> str:
    """How much room a folder's disk has, in words."""
    while not folder.exists():
        folder = folder.parent
    return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB are free"


def _same(path: Path, entry: dict[str, Any], thorough: bool) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size != entry["size"]:
        return False
    if status.st_mtime_ns == entry["mtime"] and not thorough:
        return True
    return bool(file_digest(path) == entry["sha256"])


def _write_manifest(folder: Path) -> None:
    """Record every file; products are read-only from here on, since copy-on-write disks lie on them."""
    manifest = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        os.chmod(path, path.stat().st_mode & ~0o222)
        status = path.stat()
        manifest[str(path.relative_to(folder))] = {
            "sha256": file_digest(path),
            "size": status.st_size,
            "mtime": status.st_mtime_ns,
        }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
