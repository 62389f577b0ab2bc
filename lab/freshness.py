"""What a transcript depends on, part by part, and whether it is still fresh."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lab import paths
from lab.snippets import Snippet

AGE = 45
"""Days after which a capture is too old for the scheduled run."""

_DIGITS = 16


def parts(snippet: Snippet) -> dict[str, str | None]:
    """What a snippet's transcript depends on: each part by name, with its digest or its pinned version.

    The names are paths in the checkout, except `snippet`, `scenario` and those that begin with `pin `.
    """
    scenario = paths.SNIPPETS / "scenarios" / f"{snippet.scenario}.yaml" if snippet.scenario else None
    return {
        "snippet": _digest(snippet.path),
        "scenario": _digest(scenario) if scenario else None,
        **_shared(paths.PACKAGE),
    }


def pins() -> Mapping[str, str]:
    """The pinned components with their versions, named as in `parts`."""
    return {name: value for name, value in _shared(paths.PACKAGE).items() if name.startswith("pin ")}


@cache
def _shared(package: Path) -> Mapping[str, str]:
    """The parts that all snippets have in common, read once: hundreds of captures are asked for."""
    image = package / "image"
    files = [
        package / "calico.py",
        package / "kubeadm.py",
        package / "noise.py",
        *_tree(package / "provision"),
        *sorted(image.glob("*/go.mod")),
        *sorted(image.glob("*/go.sum")),
        image / "packages.txt",
        image / "images.py",
        *_tree(image / "calico" / "confd"),
        *_tree(image / "guest"),
        *_tree(image / "kernel"),
    ]
    found = {f"lab/{path.relative_to(package).as_posix()}": _digest(path) for path in files}
    return found | dict(_pins(package / "cluster.yaml"))


def _tree(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]


def _pins(path: Path) -> Iterator[tuple[str, str]]:
    """The versions in cluster.yaml one by one, its other sections each as a whole; comments do not count."""
    import yaml

    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, value in (content if isinstance(content, dict) else {"": content}).items():
        if section == "versions" and isinstance(value, dict):
            yield from ((f"pin {name}", str(version)) for name, version in value.items())
        else:
            digest = hashlib.sha256(repr(value).encode()).hexdigest()[:_DIGITS]
            yield f"lab/cluster.yaml {section}".rstrip(), digest


def changes(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    """What changed between two sets of parts, in words."""
    names = [*now, *(name for name in before if name not in now)]
    return [_words(name, before, now) for name in names if before.get(name, "") != now.get(name, "")]


def _words(name: str, before: Mapping[str, str | None], now: Mapping[str, str | None]) -> str:
    if name in ("snippet", "scenario"):
        return {"snippet": "the snippet itself", "scenario": "its scenario"}[name]
    if name.startswith("pin "):
        return f"the pinned {name[4:]}: {before.get(name, 'none')}, now {now.get(name, 'none')}"
    what = f"{name} ({_ROLES[_role(name)]})" if _role(name) else name
    return f"{what} is new" if name not in before else f"{what} is gone" if name not in now else what


_ROLES = {
    "lab/noise.py": "the noise rules",
    "lab/calico.py": "how Calico's manifest is made",
    "lab/kubeadm.py": "what kubeadm is told",
    "lab/provision/": "how nodes are set up",
    "lab/image/calico/confd/": "how BIRD is configured",
    "lab/image/guest/": "what a node's disk holds",
    "lab/image/images.py": "what the pods' images hold",
    "lab/image/kernel/": "how the kernel is made",
    "lab/image/packages.txt": "the nodes' Debian packages",
    "lab/image/": "the pinned components",
    "lab/cluster.yaml": "the description of the cluster",
}


def _role(name: str) -> str:
    return next((prefix for prefix in _ROLES if name.startswith(prefix)), "")


def mismatches(versions: Mapping[str, str], pins: Mapping[str, str | None]) -> list[str]:
    """Components that were not of the pinned version: what a lab says of itself, against the pins.

    Only components that tell their version by the pin's own name are compared.
    """
    return [
        f"{name} was {versions[name]}, {pinned} is pinned"
        for pin, pinned in pins.items()
        if pin.startswith("pin ") and (name := pin[4:]) in versions and versions[name] != pinned
    ]


def age(date: str, today: datetime | None = None) -> int:
    """How many whole days ago a receipt's date was.

    Args:
        date: As on the receipt, `2026-11-23T12:00:00Z`.
        today: Until when it is counted; None means now.
    """
    return ((today or datetime.now(UTC)) - datetime.strptime(date, "%Y-%m-%dT%H:%M:%S%z")).days
