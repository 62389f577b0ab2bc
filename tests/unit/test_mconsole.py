"""The management console of a kernel, played by a socket."""

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.carriers import mconsole
from lab.errors import LabError


class Kernel(threading.Thread):
    """Answers as arch/um/drivers/mconsole_user.c does; an answer may come in two parts."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(str(path))
        self.asked: list[str] = []
        self.parts: list[tuple[int, bytes]] = [(0, b"")]

    def run(self) -> None:
        while data := (message := self.line.recvfrom(4096))[0]:
            sender = message[1]
            magic, version, length, text = struct.unpack("=IiI512s", data)
            assert (magic, version) == (0xCAFEBABE, 2)
            self.asked.append(text[:length].decode())
            for number, (refused, part) in enumerate(self.parts):
                more = number < len(self.parts) - 1
                self.line.sendto(struct.pack("=III512s", refused, more, len(part), part), sender)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel whose console is `console` in the test's folder."""
    played = Kernel(tmp_path / "console")
    played.start()
    yield played
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(b"", str(tmp_path / "console"))
    played.join()
    played.line.close()


def test_an_answer_in_parts_is_put_together(kernel: Kernel, tmp_path: Path) -> None:
    """What a kernel says may be longer than one message."""
    kernel.parts = [(0, b"Linux node01 "), (0, b"7.3.4\0")]
    assert mconsole.ask(tmp_path / "console", "version") == "Linux node01 7.3.4"
    assert kernel.asked == ["version"]


def test_memory_is_unplugged_and_plugged_in_again(kernel: Kernel, tmp_path: Path) -> None:
    """Unplugging returns it to the host; plugging in makes it usable again."""
    mconsole.give_back(tmp_path / "console", 300)
    assert kernel.asked == ["config mem=-300M", "config mem=+300M"]


def test_a_full_node_keeps_its_memory(kernel: Kernel, tmp_path: Path) -> None:
    """Nothing is free: nothing is asked."""
    mconsole.give_back(tmp_path / "console", -3)
    assert kernel.asked == []


def test_a_refusal_is_told(kernel: Kernel, tmp_path: Path) -> None:
    """The kernel's own words are in the error."""
    kernel.parts = [(1, b"memory hotplug is off")]
    with pytest.raises(LabError, match="memory hotplug is off"):
        mconsole.ask(tmp_path / "console", "config mem=-1M")


def test_no_kernel(tmp_path: Path) -> None:
    """A socket that nobody serves: one clear message, and no socket of ours stays."""
    with pytest.raises(LabError, match="does not answer"):
        mconsole.ask(tmp_path / "console", "version")
    assert list(tmp_path.iterdir()) == []
