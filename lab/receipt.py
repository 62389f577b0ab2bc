"""Receipts: what a transcript depends on, what was run for it, and whether it is still fresh."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lab import paths
from lab.capture import Step
from lab.errors import LabError
from lab.snippets import Snippet

SCHEMA = 1

PARTS = {
    "snippet": "the snippet itself",
    "scenario": "its scenario",
    "noise": "the noise rules (lab/noise.py)",
    "provision": "how nodes are set up (lab/provision)",
    "pins": "the pinned components (lab/cluster.yaml, lab/image/*/go.mod and go.sum)",
    "kernel": "the kernel's configuration (lab/image/kernel)",
}
"""What a transcript depends on: the names in a receipt, and in words."""

_SECRETS = {
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
    "a certificate": r"-----BEGIN CERTIFICATE-----",
    "a key or certificate in base64": r"\bLS0tLS1CRUdJTi",
    "a token (JWT)": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",
    "a bearer token": r"(?i)\bbearer\s+[\w.~+/-]{16,}",
    # Six and sixteen characters with a digit among them: a name of that form has none.
    "a bootstrap token": r"(?<![\w.-])(?=[a-z.]*\d)[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.-])",
    "kubeadm's certificate key": r"--certificate-key[ =][0-9a-f]{64}",
    "a password": r"(?i)\b(?:password|passwd|client-key-data|token-secret)[:=]\s*\S",
    "a path of a home directory": r"/home/[a-z_][\w.-]*/",
}


@dataclass(frozen=True)
class Receipt:
    """What stands in the `.json` beside a transcript.

    Attributes:
        snippet: Name of the snippet.
        date: When it ran, in UTC, to the second.
        carrier: What carried the nodes.
        commit: The checkout's commit, or None.
        scenario: Name of the scenario, or None.
        versions: Version of each component, as it reports itself.
        key: Digest of all parts.
        parts: Digest of each thing that the transcript depends on; None for no scenario.
        out: Digest of the transcript.
        steps: Every command with node, exit status, seconds and the digest of its raw output.
        schema: Version of this form.
    """

    snippet: str
    date: str
    carrier: str
    commit: str | None
    scenario: str | None
    versions: Mapping[str, str]
    key: str
    parts: Mapping[str, str | None]
    out: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    def text(self) -> str:
        """The file's content: sorted, so that equal receipts are equal files."""
        return json.dumps(asdict(self), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def digest(data: bytes | str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def make(
    snippet: Snippet,
    transcript: str,
    steps: Iterable[Step],
    *,
    carrier: str,
    versions: Mapping[str, str],
    commit: str | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """The receipt of a run that just ended."""
    found = parts(snippet)
    return Receipt(
        snippet=snippet.name,
        date=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        carrier=carrier,
        commit=commit,
        scenario=snippet.scenario,
        versions=dict(versions),
        key=key_of(found),
        parts=found,
        out=digest(transcript),
        steps=[_entry(step) for step in steps],
    )


def _entry(step: Step) -> dict[str, Any]:
    raw = f"{step.stdout}\0{step.stderr}"
    entry = {
        "node": step.node,
        "command": step.command,
        "status": step.status,
        "seconds": round(step.seconds, 3),
        "raw": digest(raw),
    }
    return entry | ({"pod": step.pod} if step.pod else {})


def commit() -> str | None:
    """The checkout's commit, or None where there is none (a new repository, an archive without git)."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def parts(snippet: Snippet) -> dict[str, str | None]:
    """The digest of each thing that a snippet's transcript depends on."""
    scenario = paths.SNIPPETS / "scenarios" / f"{snippet.scenario}.yaml" if snippet.scenario else None
    shared = _shared(paths.PACKAGE)
    return {
        "snippet": digest(snippet.path.read_bytes()),
        "scenario": digest(scenario.read_bytes()) if scenario else None,
        **shared,
    }


def key_of(found: Mapping[str, str | None]) -> str:
    """One digest of all parts."""
    return digest(json.dumps(dict(found), sort_keys=True))


def key(snippet: Snippet) -> str:
    """The digest of everything that a snippet's transcript depends on."""
    return key_of(parts(snippet))


@cache
def _shared(package: Path) -> Mapping[str, str]:
    """The digests that all snippets have in common, computed once: hundreds of captures are asked for."""
    image = package / "image"
    return {
        "noise": digest((package / "noise.py").read_bytes()),
        "provision": _files(package, _tree(package / "provision")),
        "pins": _files(
            package,
            [package / "cluster.yaml", *sorted(image.glob("*/go.mod")), *sorted(image.glob("*/go.sum"))],
        ),
        "kernel": _files(package, _tree(image / "kernel")),
    }


def _tree(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _files(base: Path, files: Iterable[Path]) -> str:
    """The digest of files by name and content."""
    lines = [f"{path.relative_to(base).as_posix()} {digest(path.read_bytes())}\n" for path in files]
    return digest("".join(lines))


def load(snippet: Snippet) -> tuple[str, Receipt]:
    """The transcript and the receipt that are kept for a snippet.

    Raises:
        LabError: One is missing, cut off, of another version, or the transcript was edited by hand.
    """
    again = f"capture it with: lab update {snippet.name}"
    for path in (snippet.out, snippet.receipt):
        if not path.exists():
            raise LabError(f"{snippet.name} has no {path.name}", hint=again)
    try:
        transcript = snippet.out.read_bytes().decode()
        entry = json.loads(snippet.receipt.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LabError(f"{snippet.name}: its capture is cut off or damaged", detail=str(error), hint=again) from None
    if not isinstance(entry, dict) or entry.get("schema") != SCHEMA:
        found = entry.get("schema") if isinstance(entry, dict) else None
        raise LabError(
            f"{snippet.name}: its receipt has schema {found}, this version of `lab` writes {SCHEMA}",
            hint=again,
        )
    receipt = _parse(snippet, entry, again)
    if receipt.out != digest(transcript):
        raise LabError(
            f"{snippet.name}: {snippet.out.name} is not what was captured",
            detail="Its digest is not the one on the receipt: it was edited by hand or cut off.",
            hint=f"see `git diff {snippet.out.name}`, or {again}",
        )
    return transcript, receipt


def _parse(snippet: Snippet, entry: dict[str, Any], again: str) -> Receipt:
    wanted = set(Receipt.__dataclass_fields__)
    wrong = sorted(wanted - entry.keys()) + sorted(entry.keys() - wanted)
    mappings = all(isinstance(entry.get(name), dict) for name in ("parts", "versions"))
    if wrong or not mappings or not isinstance(entry["steps"], list) or entry["snippet"] != snippet.name:
        faults = f"missing or unknown: {', '.join(wrong)}" if wrong else "a field has the wrong type or name"
        raise LabError(f"{snippet.name}: {snippet.receipt.name} is not a receipt", detail=faults, hint=again)
    return Receipt(**entry)


def save(snippet: Snippet, transcript: str, receipt: Receipt) -> None:
    """Write both files; the old ones stay whole until the new ones are.

    Raises:
        LabError: Something in them is secret, or the disk is full or read-only.
    """
    for text, what in ((transcript, snippet.out.name), (receipt.text(), snippet.receipt.name)):
        secret = find_secret(text)
        if secret:
            raise LabError(
                f"{snippet.name}: {what} would hold {secret}; nothing was written",
                hint="leave it out of the output, for example with grep -v or a narrower question",
            )
    new = {snippet.out: transcript, snippet.receipt: receipt.text()}
    partial = {path: path.with_name(f".{path.name}.new") for path in new}
    try:
        for path, text in new.items():
            partial[path].write_bytes(text.encode())
        for path in new:
            os.replace(partial[path], path)
    except OSError as error:
        raise LabError(
            f"{snippet.name}: its capture cannot be written: {error.strerror}",
            detail=str(error.filename or ""),
        ) from None
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)


def stale(snippet: Snippet) -> list[str]:
    """What changed since a snippet's transcript was captured, in words; empty when it is fresh.

    Raises:
        LabError: There is no whole capture.
    """
    _, receipt = load(snippet)
    now = parts(snippet)
    changed = [words for part, words in PARTS.items() if now[part] != receipt.parts.get(part)]
    if not changed and key_of(now) != receipt.key:
        changed.append("its receipt, by hand")
    return changed


def find_secret(text: str) -> str | None:
    """What secret a text holds, in words, or None; the secret itself is not repeated."""
    for what, pattern in _SECRETS.items():
        if re.search(pattern, text):
            return what
    for path in (str(Path.home()), str(paths.ROOT)):
        # `/` and the like are everybody's.
        if len(path) > 4 and re.search(rf"{re.escape(path)}(?:/|\b)", text):
            return "a path of this host"
    return None
