"""Receipts: what a transcript depends on, what was asked and answered for it, and whether it is still fresh."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import freshness, paths
from lab.api import KEPT_OUT
from lab.capture import Answer, Step
from lab.errors import LabError
from lab.snippets import Snippet

SCHEMA = 2
DATE = "%Y-%m-%dT%H:%M:%SZ"
"""How a receipt writes its date."""

_SECRETS = {
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
    "a certificate": r"-----BEGIN CERTIFICATE-----",
    "a key or certificate in base64": r"\bLS0tLS1CRUdJTi",
    "a token (JWT)": r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",
    "a bearer token": r"(?i)\bbearer\s+[\w.~+/-]{16,}",
    # Six and sixteen characters with a digit among them: a name of that form has none.
    "a bootstrap token": r"(?<![\w.-])(?=[a-z.]*\d)[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.-])",
    "kubeadm's certificate key": r"--certificate-key[ =][0-9a-f]{64}",
    "a password": r"(?i)(?<![a-z])(?:password|passwd|client-key-data|token-secret)[\"']?\s*[:=]\s*[\"']?[^\s\"']",
    "a Secret's data": r"(?s)\A(?=.*\bkind[\"']?:\s*[\"']?Secret(?:List)?\b)(?=.*\b(?:data|stringData)[\"']?:\s)",
    "a path of a home directory": r"/home/[a-z_][\w.-]*/",
}

_SECRET_FIELDS = {
    "token", "password", "passwd", "cabundle",
    "client-key-data", "client-certificate-data", "certificate-authority-data",
}  # fmt: skip
"""Fields of objects that hold a secret or a certificate, whatever it looks like."""


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
        parts: Each thing that the transcript depends on, with its digest or version (see `lab.freshness.parts`).
        out: Digest of the transcript.
        steps: Every command with node, exit status, seconds, its raw output and the digest of that.
        answers: Every other question, by source and place, with its reply.
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
    answers: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    def text(self) -> str:
        """The file's content: sorted, so that equal receipts are equal files, and one line for each answer."""
        entry = asdict(self)
        lines = [json.dumps(answer, sort_keys=True, ensure_ascii=False) for answer in entry.pop("answers")]
        answers = ",".join(f"\n    {line}" for line in lines) + ("\n  " if lines else "")
        rest = json.dumps(entry, sort_keys=True, indent=2, ensure_ascii=False).removeprefix("{\n")
        return f'{{\n  "answers": [{answers}],\n{rest}\n'


def digest(data: bytes | str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def make(
    snippet: Snippet,
    transcript: str,
    steps: Iterable[Step],
    answers: Iterable[Answer] = (),
    *,
    carrier: str,
    versions: Mapping[str, str],
    commit: str | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Receipt:
    """The receipt of a run that just ended.

    Raises:
        LabError: No nodes answered, but captures.
    """
    if carrier == "replay":
        raise LabError(
            f"{snippet.name}: a capture is made of what nodes answer, not of another capture",
            hint="start a lab with `lab up`, and leave LAB_CARRIER and --carrier away",
        )
    found = freshness.parts(snippet)
    return Receipt(
        snippet=snippet.name,
        date=now().strftime(DATE),
        carrier=carrier,
        commit=commit,
        scenario=snippet.scenario,
        versions=dict(versions),
        key=key_of(found),
        parts=found,
        out=digest(transcript),
        steps=[_entry(step) for step in steps],
        answers=list(_told(answers)),
    )


def _entry(step: Step) -> dict[str, Any]:
    """A step as the receipt has it; what is as usual is left out."""
    entry = {
        "node": step.node,
        "command": step.command,
        "status": step.status,
        "seconds": round(step.seconds, 3),
        "stdout": step.stdout,
        "stderr": step.stderr,
        "raw": _raw(step.stdout, step.stderr),
    }
    entry |= {"pod": step.pod} if step.pod else {}
    entry |= {"namespace": step.namespace} if step.namespace else {}
    entry |= {"background": True, "early": step.early} if step.background else {}
    entry |= {"tries": step.tries} if step.tries > 1 else {}
    return entry | ({} if step.shown else {"shown": False})


def _raw(stdout: str, stderr: str) -> str:
    return digest(f"{stdout}\0{stderr}")


def place(step: Mapping[str, Any]) -> str:
    """Where a step of a receipt ran, as `Step.place` has it."""
    return "/".join(filter(None, (step["node"], step.get("namespace"), step.get("pod"))))


def _told(answers: Iterable[Answer]) -> Iterator[dict[str, Any]]:
    """The answers as the receipt has them; the same answer to the same question again is not repeated."""
    last: dict[tuple[str, str, str], Any] = {}
    for answer in answers:
        key = (answer.source, answer.where, answer.question)
        if key not in last or last[key] != answer.reply:
            last[key] = answer.reply
            yield asdict(answer)


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


def key_of(found: Mapping[str, str | None]) -> str:
    """One digest of all parts."""
    return digest(json.dumps(dict(found), sort_keys=True))


def key(snippet: Snippet) -> str:
    """The digest of everything that a snippet's transcript depends on."""
    return key_of(freshness.parts(snippet))


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
        age = "the older " if isinstance(found, int) and found < SCHEMA else ""
        raise LabError(
            f"{snippet.name}: its receipt has {age}schema {found}, this version of `lab` reads {SCHEMA}",
            hint=again,
        )
    receipt = _parse(snippet, entry, again)
    if any(_raw(step["stdout"], step["stderr"]) != step["raw"] for step in receipt.steps):
        raise LabError(
            f"{snippet.name}: the raw output in {snippet.receipt.name} is not what was captured",
            detail="Its digest is another one: it was edited by hand.",
            hint=f"see `git diff {snippet.receipt.name}`, or {again}",
        )
    if receipt.out != digest(transcript):
        raise LabError(
            f"{snippet.name}: {snippet.out.name} is not what was captured",
            detail="Its digest is not the one on the receipt: it was edited by hand or cut off.",
            hint=f"see `git diff {snippet.out.name}`, or {again}",
        )
    return transcript, receipt


def _parse(snippet: Snippet, entry: dict[str, Any], again: str) -> Receipt:
    faults = list(_faults(entry))
    if not faults and entry["snippet"] != snippet.name:
        faults.append(f"it is the receipt of {entry['snippet']}")
    if faults:
        shown = [*faults[:5], *([f"and {len(faults) - 5} more"] if len(faults) > 5 else [])]
        raise LabError(f"{snippet.name}: {snippet.receipt.name} is not a receipt", detail="\n".join(shown), hint=again)
    return Receipt(**entry)


Fields = Mapping[str, type | tuple[type, ...]]
"""The names of fields, each with what JSON makes of its value."""

_TEXT_OR_NONE = (str, type(None))
FIELDS: Fields = {
    "snippet": str, "date": str, "carrier": str, "commit": _TEXT_OR_NONE, "scenario": _TEXT_OR_NONE, "versions": dict,
    "key": str, "parts": dict, "out": str, "steps": list, "answers": list, "schema": int,
}  # fmt: skip
STEP: Fields = {
    "node": str, "command": str, "status": int, "seconds": (int, float), "stdout": str, "stderr": str, "raw": str,
}  # fmt: skip
UNUSUAL: Fields = {"pod": str, "namespace": str, "shown": bool, "background": bool, "early": str, "tries": int}
"""What only some steps have."""
ANSWER: Fields = {"source": str, "where": str, "question": str, "reply": object}


def _faults(entry: dict[str, Any]) -> Iterator[str]:
    """What makes a mapping no receipt; each field has its name, and is of its type."""
    yield from _wrong("", entry, FIELDS)
    for name, needed, more in (("steps", STEP, UNUSUAL), ("answers", ANSWER, {})):
        found = entry.get(name)
        for number, item in enumerate(found if isinstance(found, list) else [], 1):
            yield from _wrong(f"{name}, number {number}: ", item, needed, more)
    try:
        datetime.strptime(str(entry.get("date")), DATE)
    except ValueError:
        yield f"date: {entry.get('date')!r} is not one as in 2026-11-23T12:00:00Z"


def _wrong(where: str, item: Any, needed: Fields, more: Fields | None = None) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"{where}it has no fields"
        return
    known = {**needed, **(more or {})}
    yield from (f"{where}{name} is missing" for name in needed if name not in item)
    for name, value in item.items():
        if name not in known:
            yield f"{where}{name} is unknown"
        elif not isinstance(value, known[name]):
            yield f"{where}{name} is of the wrong type"


def save(snippet: Snippet, transcript: str, receipt: Receipt) -> None:
    """Write both files; the old ones stay whole until the new ones are.

    Raises:
        LabError: Something in them is secret, or the disk is full or read-only.
    """
    refused = _refusal(snippet, transcript, asdict(receipt))
    if refused:
        raise LabError(
            f"{snippet.name}: {refused}; nothing was written",
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


def refusal(snippet: Snippet, transcript: str, steps: Iterable[Step], answers: Iterable[Answer]) -> str:
    """Why no capture of a run would be written, such as `mtu.out would hold a password`; empty when one would."""
    entry = {"steps": [_entry(step) for step in steps], "answers": list(_told(answers))}
    return _refusal(snippet, transcript, entry)


def _refusal(snippet: Snippet, transcript: str, entry: dict[str, Any]) -> str:
    found = ((what, find_secret(value)) for value, what in _saved(snippet, transcript, entry))
    return next((f"{what} would hold {secret}" for what, secret in found if secret), "")


def _saved(snippet: Snippet, transcript: str, entry: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    """Everything that would be written, each part with where it would stand."""
    name = snippet.receipt.name
    yield transcript, snippet.out.name
    # By number: a command may hold the secret itself.
    for number, step in enumerate(entry.pop("steps"), 1):
        yield step, f"{name}, in step {number} on {step['node']},"
    for answer in entry.pop("answers"):
        yield answer["question"], f"{name}, in a question to {answer['where'] or 'the API server'},"
        yield answer, f"{name}, in the answer to `{answer['question']}`,"
    yield entry, name


def stale(snippet: Snippet) -> list[str]:
    """What changed since a snippet's transcript was captured, in words; empty when it is fresh.

    Raises:
        LabError: There is no whole capture.
    """
    _, receipt = load(snippet)
    now = freshness.parts(snippet)
    changed = freshness.changes(receipt.parts, now)
    if not changed and key_of(now) != receipt.key:
        changed.append("its receipt, by hand")
    return changed + freshness.mismatches(receipt.versions, now)


def find_secret(value: Any) -> str | None:
    """What secret a text or an object holds, in words, or None; the secret itself is not repeated.

    An object is looked through string by string: its JSON would hide a secret behind escaped quotes and line ends.
    """
    if isinstance(value, dict):
        fields = [*value.items()]
        if {"name", "value"} <= value.keys():
            # An environment variable of a container.
            fields.append((value["name"], value["value"]))
        return next(filter(None, (_secret_field(str(name), item) for name, item in fields)), None)
    if isinstance(value, list):
        return next(filter(None, map(find_secret, value)), None)
    return _secret_text(value) if isinstance(value, str) else None


def _secret_field(name: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return find_secret(name) or find_secret(value)
    if value in ("", KEPT_OUT):
        return find_secret(name)
    if name.lower() in _SECRET_FIELDS:
        return f"a value called `{name}`"
    # Together: `password` is no secret, and `hunter2` is none.
    return _secret_text(f"{name}: {value}") or _secret_text(value)


def _secret_text(text: str) -> str | None:
    for what, pattern in _SECRETS.items():
        if re.search(pattern, text):
            return what
    for path in (str(Path.home()), str(paths.ROOT)):
        # `/` and the like are everybody's.
        if len(path) > 4 and re.search(rf"{re.escape(path)}(?:/|\b)", text):
            return "a path of this host"
    return None
