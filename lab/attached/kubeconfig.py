"""One context of a kubeconfig, by itself in a file that is the lab's own."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

_PRODUCTION = re.compile(r"(?<![a-z])(prod|prd|production|live)(?![a-z])", re.IGNORECASE)
_FILES = {"certificate-authority", "client-certificate", "client-key", "tokenFile"}


@dataclass(frozen=True)
class Context:
    """What `kubectl config use-context` would choose.

    Attributes:
        name: Its name.
        content: A kubeconfig that holds nothing else.
    """

    name: str
    content: dict[str, Any]

    @property
    def server(self) -> str:
        """The address of its API server."""
        return str(self.content["clusters"][0]["cluster"].get("server", ""))

    def write(self, path: Path, namespace: str) -> None:
        """Write it as a kubeconfig, readable by its owner only.

        Args:
            path: Where to.
            namespace: What `kubectl get pods` is to show without being told a namespace.
        """
        context = {**self.content["contexts"][0]["context"], "namespace": namespace}
        content = {**self.content, "contexts": [{"name": self.name, "context": context}]}
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            yaml.safe_dump(content, stream)


def load(path: Path, name: str | None = None) -> Context:
    """Take one context out of a kubeconfig.

    Args:
        path: The kubeconfig.
        name: The context's name; None takes the current one.

    Raises:
        LabError: There is no such file, it is no kubeconfig, or it has no such context.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(
            f"the kubeconfig {path} cannot be read: {error.strerror}",
            hint="name it: lab up --carrier attached --kubeconfig ~/.kube/config",
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"{path} is not a kubeconfig", detail=str(error), hint=_look(path)) from None
    if not isinstance(content, dict) or not isinstance(content.get("contexts"), list):
        raise LabError(f"{path} is not a kubeconfig: it has no contexts", hint=_look(path))
    known = [str(each.get("name")) for each in content["contexts"]]
    wanted = name or str(content.get("current-context") or "")
    if wanted not in known:
        what = f"has no context {wanted!r}" if wanted else "has no current context"
        raise LabError(
            f"{path} {what}",
            detail=f"it has: {', '.join(known) or 'none'}",
            hint=f"name one of them: --context {known[0] if known else 'NAME'}",
        )
    context = _named(content, "contexts", wanted, path)
    cluster = _named(content, "clusters", str(context["context"].get("cluster")), path)
    user = _named(content, "users", str(context["context"].get("user")), path)
    for part in (cluster["cluster"], user["user"]):
        # Relative paths count from the kubeconfig's own folder.
        for key in _FILES & part.keys():
            part[key] = str(path.absolute().parent / part[key])
    alone = {"apiVersion": "v1", "kind": "Config", "current-context": wanted}
    return Context(wanted, {**alone, "contexts": [context], "clusters": [cluster], "users": [user]})


def _named(content: dict[str, Any], part: str, name: str, path: Path) -> dict[str, Any]:
    key = part.removesuffix("s")
    for each in content.get(part) or []:
        if each.get("name") == name and isinstance(each.get(key), dict):
            return {"name": name, key: dict(each[key])}
    raise LabError(f"{path} names the {key} {name!r}, and has none of that name", hint=_look(path))


def _look(path: Path) -> str:
    return f"look at it: kubectl --kubeconfig {path} config view"


def looks_like_production(context: Context) -> str:
    """The name that says so, of the context, its cluster or its server; empty when none does."""
    entry = context.content["contexts"][0]["context"]
    names = (context.name, str(entry.get("cluster", "")), context.server)
    return next((name for name in names if _PRODUCTION.search(name)), "")
