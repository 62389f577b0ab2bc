"""Markdown extension: under every included `.out` block stands its receipt.

A page only includes the transcript:

    ```` { .node-console }
    --8<-- "snippets/pod_to_pod/pod_route.out"
    ````

The extension reads the `.json` beside it and adds a native `<details>` below
the block: one line that says who printed it and when, the whole receipt when
opened. The search leaves it out, since nobody looks for digests.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any

from markdown.preprocessors import Preprocessor
from mkdocs.exceptions import BuildError

from lab.errors import LabError
from lab.receipt import SCHEMA
from lab.site.lexer import PROMPT
from lab.site.placing import Placing, PlacingExtension

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_INCLUDE = re.compile(r"""^[ \t]*-{1,}8<-{1,}[ \t]+(?P<quote>["'])(?P<path>[^"':]+\.out)(?P=quote)[ \t]*$""")
# Before pymdownx.snippets (32), which replaces the lines that we look for.
_FIND = 33
# After Markdown's own clean-up (30), which would break the placeholders of finished HTML,
# and before fences (25), so that a receipt inside a list or a tab keeps its place.
_PLACE = 27
_MARK = re.compile(r"^(?P<indent>[ \t]*)receipt\(\((?P<path>.+)\)\)$")


# Shown in a form of their own, or not at all: recorded answers are for replay.
_ELSEWHERE = {"steps", "versions", "parts", "schema", "answers"}


def load(out: Path) -> dict[str, Any]:
    """The receipt that belongs to a transcript.

    Args:
        out: The `.out` file; the receipt is the `.json` beside it.

    Raises:
        LabError: One of the two is missing, cannot be read, or the
            transcript is not the one that the receipt is for.
    """
    beside = out.with_suffix(".json")
    name = f"{out.parent.name}/{out.stem}"
    accept = f"lab update {name}"
    try:
        transcript = out.read_bytes()
        receipt = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabError(f"{name}: {error.filename} is missing", hint=f"capture it with: {accept}") from error
    except ValueError as error:
        raise LabError(
            f"{name}: {beside} is no JSON", detail=str(error), hint=f"write it anew with: {accept}"
        ) from error
    missing = {"schema", "snippet", "date", "versions", "out", "steps"} - set(receipt)
    if missing:
        raise LabError(f"{name}: {beside} lacks {', '.join(sorted(missing))}", hint=f"write it anew with: {accept}")
    if receipt["schema"] != SCHEMA:
        raise LabError(
            f"{name}: {beside} has schema {receipt['schema']}, this program reads {SCHEMA}",
            hint=f"capture it again with: {accept}",
        )
    if receipt["out"] != hashlib.sha256(transcript).hexdigest():
        raise LabError(
            f"{name}: {out} is not what its receipt is for",
            detail="The digest differs: one of the two files was changed by hand.",
            hint=f"capture it again with: {accept}",
        )
    return dict(receipt)


def summary(receipt: Mapping[str, Any], transcript: str) -> str:
    """One line of HTML: who printed the transcript, when, and what ran there."""
    found = [match["where"] for match in map(PROMPT.match, transcript.splitlines()) if match]
    where = list(dict.fromkeys(found or [step["node"] for step in receipt["steps"]]))
    names = f"{', '.join(where[:-1])} and {where[-1]}" if len(where) > 1 else "".join(where)
    versions = receipt["versions"]
    parts = [
        f"{label} {versions[key]}"
        for key, label in (("kubernetes", "Kubernetes"), ("calico", "Calico"), ("linux", "Linux"))
        if key in versions
    ]
    day = escape(receipt["date"][:10])
    printed = f'Printed by <b>{escape(names)}</b> on <time datetime="{escape(receipt["date"])}">{day}</time>'
    return ", ".join([printed, *map(escape, parts)])


def render(receipt: Mapping[str, Any], transcript: str) -> str:
    """The receipt as HTML: closed it is one line, opened it is all but the raw answers and the parts of its key.

    The parts are mostly the same for all receipts of a page; they would be half of what it weighs.
    """
    plain = {key: value for key, value in receipt.items() if key not in _ELSEWHERE}
    rows = [_row(key, value) for key, value in plain.items()]
    rows.append(_row("versions", _mapping(receipt["versions"])))
    rows.append(_row("parts", f"{len(receipt['parts'])}, each with its digest in the receipt's file"))
    steps = "".join(f"<li>{_step(step)}</li>" for step in receipt["steps"])
    again = f"<p>Run it on your own lab: <code>lab run {escape(receipt['snippet'])}</code></p>"
    return (
        f'<details class="receipt" data-search-exclude><summary>{summary(receipt, transcript)}</summary>'
        f'<div class="receipt-body">{again}<ol>{steps}</ol><dl>{"".join(rows)}</dl></div></details>'
    )


def _row(key: str, value: Any) -> str:
    return f"<dt>{escape(key)}</dt><dd><code>{escape(_shown(value), quote=False)}</code></dd>"


def _mapping(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} {_shown(value)}" for key, value in values.items())


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _step(step: Mapping[str, Any]) -> str:
    where = f"{step['node']}/{step['pod']}" if step.get("pod") else step["node"]
    command = f"<code>{escape(where)}$ {escape(step['command'], quote=False)}</code>"
    # As many digits of the raw output's digest as an eye compares; all of them are in the receipt's file.
    # In few words, since a page has up to a hundred of these.
    tries = f" after {step['tries']} tries" if step.get("tries", 1) > 1 else ""
    digest = f"digest {escape(step['raw'][:12])}"
    return f"{command}: status {step['status']}{tries}, {step['seconds']:.2f} s, {digest}"


class Finder(Preprocessor):
    """Finds the fences that include a transcript and sets a mark below each."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with a mark after each fence that includes a transcript."""
        result: list[str] = []
        fence, indent = "", ""
        outs: list[str] = []
        for line in lines:
            result.append(line)
            match = _FENCE.match(line)
            if not fence and match:
                fence, indent, outs = match["fence"], match["indent"], []
            elif match and not match["info"].strip() and match["fence"].startswith(fence):
                for out in outs:
                    result += ["", f"{indent}receipt(({out}))", ""]
                fence = ""
            elif fence and (include := _INCLUDE.match(line)):
                outs.append(include["path"])
        return result


class Placer(Placing):
    """Puts the receipt in the place of each mark."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the page's lines with finished HTML for each mark.

        Raises:
            BuildError: A receipt is missing or wrong.
        """
        return [self._place(match) if (match := _MARK.match(line)) else line for line in lines]

    def _place(self, match: re.Match[str]) -> str:
        path = self.base / PurePosixPath(match["path"])
        try:
            html = render(load(path), path.read_text(encoding="utf-8"))
        except (KeyError, TypeError, AttributeError) as error:
            raise BuildError(f"{path.with_suffix('.json')}: not what a receipt looks like: {error!r}") from error
        except LabError as error:
            # MkDocs shows the message of its own errors without a traceback.
            raise BuildError(str(error)) from error
        return match["indent"] + self.md.htmlStash.store(html)


class ReceiptExtension(PlacingExtension):
    """Registers the two steps."""

    name = "receipt"
    finder = (Finder, _FIND)
    placer = (Placer, _PLACE)


def makeExtension(**settings: Any) -> ReceiptExtension:  # noqa: N802, the name is Markdown's
    """What Markdown calls when the configuration names this module."""
    return ReceiptExtension(**settings)
