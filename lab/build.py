"""`lab build`: makes every product that is missing, side by side, and says how far it is."""

import hashlib
import json
import os
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from lab import shell
from lab.errors import LabError
from lab.image.steps import all_steps, default_store
from lab.spec import load_spec
from lab.store import Step, Store, file_digest, free_space

LANES = 2
"""Steps built at the same time; most of them use every core by themselves."""

SPACE = 12e9
"""Bytes that a first build needs at most."""

QUIET_INTERVAL = 30.0
"""Seconds between two lines about a running step when nobody watches a terminal."""


class Progress:
    """One line per step: redrawn on a terminal, line by line elsewhere."""

    def __init__(self, steps: list[Step], say: Callable[[str], None]) -> None:
        self.expected = {step.name: step.expected for step in steps}
        self.running: dict[str, float] = {}
        self.say = say
        self.live = sys.stderr.isatty()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "Progress":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def begin(self, step: Step) -> None:
        """A step's build starts."""
        self.running[step.name] = time.monotonic()
        self._clear()
        self.say(f"{step.name}: building, about {_minutes(step.expected)} the first time")

    def end(self, step: Step) -> None:
        """A step's build is done."""
        seconds = time.monotonic() - self.running.pop(step.name)
        self._clear()
        self.say(f"{step.name}: built in {seconds:.0f} s")

    def _clear(self) -> None:
        if self.live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _tick(self) -> None:
        while not self.stop.wait(1.0 if self.live else QUIET_INTERVAL):
            now = time.monotonic()
            parts = [
                f"{name} {now - begin:.0f} of about {self.expected[name]:.0f} s"
                for name, begin in sorted(self.running.items())
            ]
            if parts and self.live:
                sys.stderr.write("\r\x1b[K" + "; ".join(parts))
                sys.stderr.flush()
            elif parts:
                self.say("still building: " + "; ".join(parts))


def missing() -> list[str]:
    """Names of products that are not there or not whole."""
    store = default_store()
    return [step.name for step in all_steps() if not store.has(step)]


def build(say: Callable[[str], None], *, check: bool = False) -> None:
    """Make every product that is missing or damaged.

    Args:
        say: Receives lines about the progress.
        check: Read every file of every product instead of trusting times and sizes.

    Raises:
        LabError: A step failed; what was built before it is kept.
    """
    store, steps = default_store(), all_steps()
    wanted = []
    for step in steps:
        faults = store.faults(step, thorough=check)
        if faults and store.path(step).exists():
            say(f"{step.name}: damaged ({', '.join(faults)}), building it again")
            (store.path(step) / "manifest.json").unlink(missing_ok=True)
        if faults:
            wanted.append(step)
    if not wanted:
        say(f"everything is built: {store.root}")
        return
    _check_space(store, wanted)
    say(f"building {', '.join(step.name for step in wanted)} into {store.root}")
    with Progress(wanted, say) as progress:
        _run(wanted, store, progress)


def _check_space(store: Store, steps: list[Step]) -> None:
    folder = store.root
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    wanted = SPACE * sum(step.expected for step in steps) / sum(step.expected for step in all_steps())
    if status.f_bavail * status.f_frsize < wanted:
        raise LabError(
            f"building needs about {wanted / 1e9:.0f} GB, {free_space(store.root)} at {store.root}",
            hint="free some, or choose another place: LAB_CACHE=/path/with/space lab build",
        )


def _run(steps: list[Step], store: Store, progress: Progress) -> None:
    waiting = list(steps)
    futures: dict[Future[None], Step] = {}

    def work(step: Step) -> None:
        progress.begin(step)
        store.ensure(step)
        progress.end(step)

    with ThreadPoolExecutor(LANES) as pool:
        try:
            while waiting or futures:
                unbuilt = {step.name for step in waiting} | {step.name for step in futures.values()}
                for step in list(waiting):
                    shared = {other.shares for other in futures.values()} - {""}
                    able = step.shares not in shared and not unbuilt & {need.name for need in step.needs}
                    if len(futures) < LANES and able:
                        waiting.remove(step)
                        futures[pool.submit(work, step)] = step
                done, _ = wait(futures, return_when=FIRST_COMPLETED)
                for future in done:
                    del futures[future]
                    future.result()
        except BaseException:
            # Leaving the block waits for the other step: it ends now, and what it compiled is in its own cache.
            # Again and again, since a step may be about to start its next program.
            closing = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
            closing.start()
            while closing.is_alive():
                shell.end_running()
                closing.join(0.2)
            raise


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


# --- another machine -----------------------------------------------------------


def export(path: Path, say: Callable[[str], None]) -> None:
    """Write all products into one file, which `import_from` reads on another machine.

    Raises:
        LabError: Something is not built yet.
    """
    store, steps = default_store(), all_steps()
    unbuilt = [step.name for step in steps if not store.has(step)]
    if unbuilt:
        raise LabError(f"not built yet: {', '.join(unbuilt)}", hint="build first: lab build")
    names = [f"{step.name}-{step.key}" for step in steps]
    work = path.with_name(path.name + ".part")
    command = ["tar", "-C", str(store.root), "--sparse", "--owner=0", "--group=0", "-cf", "-", *names]
    try:
        shell.run(
            ["sh", "-c", 'out=$1; shift; "$@" | gzip -1 > "$out"', "sh", work, *command],
            what="writing the export",
        )
        digest = file_digest(work)
        work.rename(path)
    finally:
        work.unlink(missing_ok=True)
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    say(f"{path}: {path.stat().st_size / 1e6:.0f} MB, sha256 {digest}; take {path.name}.sha256 along")


def import_from(path: Path, say: Callable[[str], None]) -> None:
    """Take products from an export.

    Raises:
        LabError: The file is damaged, or was made from another version of the project.
    """
    checksum = path.with_name(path.name + ".sha256")
    for needed in (path, checksum):
        if not needed.is_file():
            raise LabError(f"{needed} is not there", hint="`lab build --export FILE` writes FILE and FILE.sha256")
    if file_digest(path) != checksum.read_text().split()[0]:
        raise LabError(f"{path} is damaged: its sha256 is not the one in {checksum.name}", hint="copy it again")
    store, steps = default_store(), all_steps()
    wanted = {f"{step.name}-{step.key}" for step in steps}
    with tarfile.open(path) as tar:
        found = {member.name.split("/")[0] for member in tar}
    if found != wanted:
        other = ", ".join(sorted(name.rsplit("-", 1)[0] for name in wanted - found))
        raise LabError(
            f"{path} was made from another version: {other} differ",
            hint="export again from this commit, or: lab build",
        )
    store.root.mkdir(parents=True, exist_ok=True)
    shell.run(["tar", "-C", store.root, "--sparse", "-xzf", path], what="unpacking the export")
    damaged = [step.name for step in steps if store.faults(step, thorough=True)]
    if damaged:
        raise LabError(f"{path} holds damaged products: {', '.join(damaged)}", hint="export again")
    say(f"imported {len(wanted)} products into {store.root}")


# --- what is inside ------------------------------------------------------------


def components() -> list[dict[str, str | None]]:
    """Every component of the nodes: name, version, origin, sha256 (None for a package's many files).

    Raises:
        LabError: Something is not built yet.
    """
    store = default_store()
    rows: list[dict[str, str | None]] = []
    for step in all_steps():
        info = store.path(step) / "info.json"
        if not info.exists():
            raise LabError(f"{step.name} is not built yet", hint="build first: lab build")
        rows += [{**row, "step": step.name} for row in json.loads(info.read_text())]
    return rows


def sbom() -> str:
    """The components as a software bill of materials, SPDX 2.3 in JSON."""
    rows = components()
    spec = load_spec()
    packages: list[dict[str, object]] = []
    for number, row in enumerate(rows):
        package: dict[str, object] = {
            "SPDXID": f"SPDXRef-{number}",
            "name": row["name"],
            "versionInfo": row["version"],
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "sourceInfo": row["origin"],
        }
        if row["sha256"]:
            package["checksums"] = [{"algorithm": "SHA256", "checksumValue": row["sha256"]}]
        packages.append(package)
    mark = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": spec.name,
        "documentNamespace": f"urn:sha256:{mark}",
        "creationInfo": {
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_built_at())),
            "creators": ["Tool: lab"],
        },
        "packages": packages,
        "relationships": [
            {
                "spdxElementId": "SPDXRef-DOCUMENT",
                "relationshipType": "DESCRIBES",
                "relatedSpdxElement": package["SPDXID"],
            }
            for package in packages
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _built_at() -> float:
    store = default_store()
    return max((store.path(step) / "manifest.json").stat().st_mtime for step in all_steps())
