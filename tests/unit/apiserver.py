"""A stand-in for the API server on the loopback address: enough of its HTTP for the real client."""

import base64
import hashlib
import json
import re
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

Object = dict[str, Any]
Exec = Callable[[str], tuple[list[tuple[int, bytes]], bool]]

_VERBS = ["create", "delete", "get", "list", "patch"]
_KINDS = {
    "v1": [("Pod", "pods", True), ("Service", "services", True), ("Namespace", "namespaces", False),
           ("Endpoints", "endpoints", True), ("Event", "events", True), ("Secret", "secrets", True)],
    "apps/v1": [("Deployment", "deployments", True)],
    "discovery.k8s.io/v1": [("EndpointSlice", "endpointslices", True)],
    "crd.projectcalico.org/v1": [("IPPool", "ippools", False)],
}  # fmt: skip


_LISTS = [(version, kind, plural) for version, kinds in _KINDS.items() for kind, plural, _ in kinds]


class StandIn:
    """Keeps objects by path, applies, lists by label and deletes.

    Attributes:
        objects: What there is, by path.
        requests: Every request as `METHOD path?query`.
        text: What there is that is no object, by path.
        exec: What a command in a pod answers: messages by channel, and whether the connection is closed.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[str] = []
        self.text: dict[str, str] = {}
        self.exec: Exec = lambda command: ([], True)
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig for it, written to a folder."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        entry = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": url}}],
            "users": [{"name": "admin", "user": {}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(entry))
        return path

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Object | None) -> tuple[int, Object]:
        """Status and content for a request."""
        if path == "/version":
            return 200, {"major": "1", "minor": "37"}
        if path == "/apis":
            names = [version for version in _KINDS if "/" in version]
            return 200, {"kind": "APIGroupList", "groups": [_group(name) for name in names]}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version in _KINDS:
            return 200, {
                "kind": "APIResourceList",
                "resources": [_resource(*kind) for kind in _KINDS[version]],
            }
        if method == "PATCH" and body is not None:
            uid = self.objects.get(path, {}).get("metadata", {}).get("uid", f"uid-{len(self.requests)}")
            self.objects[path] = {**body, "metadata": {**body["metadata"], "uid": uid}}
            return 200, self.objects[path]
        if method == "DELETE" and path in self.objects:
            return 200, self.objects.pop(path)
        if path in self.objects:
            return 200, self.objects[path]
        for version, kind, plural in _LISTS:
            if path.split("/")[-1] == plural:
                items = self._list(path, query.get("labelSelector", [""])[0])
                return 200, {"kind": f"{kind}List", "apiVersion": version, "items": items}
        return 404, {"kind": "Status", "status": "Failure", "code": 404, "message": f"{path} not found"}

    def _list(self, path: str, selector: str) -> list[Object]:
        head, plural = path.rsplit("/", 1)
        wanted = dict(pair.split("=") for pair in selector.split(",") if pair)
        found = []
        for key, item in self.objects.items():
            everywhere = re.fullmatch(rf"{re.escape(head)}(?:/namespaces/[^/]+)?/{plural}/[^/]+", key)
            if everywhere and wanted.items() <= item["metadata"].get("labels", {}).items():
                # The real server leaves these out of lists as well.
                found.append({name: value for name, value in item.items() if name not in ("kind", "apiVersion")})
        return found


def _group(version: str) -> Object:
    entry = {"groupVersion": version, "version": version.split("/")[1]}
    return {"name": version.split("/")[0], "versions": [entry], "preferredVersion": entry}


def _resource(kind: str, plural: str, namespaced: bool) -> Object:
    return {
        "name": plural,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": _VERBS,
    }


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer leaves in one piece: the second of two would wait for the first's receipt, 40 ms.

    def _serve(self) -> None:
        url = urlparse(self.path)
        self.stand_in.requests.append(f"{self.command} {self.path}")
        if "Upgrade" in self.headers:
            self._websocket(parse_qs(url.query)["command"][-1])
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        status, content = self.stand_in.answer(self.command, url.path, parse_qs(url.query), body)
        text = self.stand_in.text.get(url.path)
        data = json.dumps(content).encode() if text is None else text.encode()
        self.send_response(status if text is None else 200)
        self.send_header("Content-Type", "application/json" if text is None else "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = do_POST = _serve  # noqa: N815, the names are http.server's

    def _websocket(self, command: str) -> None:
        """The upgrade of RFC 6455, then one frame a message: the first byte is the channel."""
        magic = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", "v5.channel.k8s.io")
        self.end_headers()
        messages, close = self.stand_in.exec(command)
        for channel, data in messages:
            payload = bytes([channel]) + data
            size = struct.pack("!BBH", 0x82, 126, len(payload)) if len(payload) > 125 else bytes([0x82, len(payload)])
            self.wfile.write(size + payload)
        if close:
            self.wfile.write(bytes([0x88, 0]))
        self.wfile.flush()
        self.rfile.read(1)  # until the client has closed, too
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""
