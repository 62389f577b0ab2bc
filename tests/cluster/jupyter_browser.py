"""Talks to the server of `lab notebook` as JupyterLab in a browser does."""

import json
import re
import subprocess
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websocket


@dataclass
class Server:
    """A server whose kernels are in another network namespace than this process."""

    process: subprocess.Popen[str]
    base: str
    token: str
    folder: Path

    def ask(self, path: str, *, token: str = "", data: bytes | None = None) -> Any:
        headers = {"Authorization": f"token {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers), timeout=60) as answer:
            return json.load(answer)

    def start_kernel(self) -> str:
        """The id of a new kernel."""
        return str(self.ask("/api/kernels", token=self.token, data=b"{}")["id"])

    def run(self, kernel: str, code: str) -> str:
        """What a kernel prints for some code."""
        place = f"{self.base.replace('http', 'ws')}/api/kernels/{kernel}/channels?token={self.token}"
        channel = websocket.create_connection(place, timeout=60)
        number, printed = uuid.uuid4().hex, ""
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": "s", "date": ""}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        request = {"channel": "shell", "header": {**header, "version": "5.3"}, "content": content}
        channel.send(json.dumps({**request, "parent_header": {}, "metadata": {}}))
        while True:
            answer = json.loads(channel.recv())
            if answer["parent_header"].get("msg_id") != number:
                continue
            printed += answer["content"].get("text", "") if answer["msg_type"] == "stream" else ""
            if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                channel.close()
                return printed


def opened(process: subprocess.Popen[str], folder: Path) -> Server:
    """The server that a process has just announced."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.fullmatch(r"open (http://127\.0\.0\.1:\d+)/lab\S*\?token=(\w{48})\n", line):
            return Server(process, found[1], found[2], folder)
    raise AssertionError(f"it ended: {''.join(said)}")
