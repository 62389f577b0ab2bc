"""The management console of a user-mode kernel: a socket on this host (Linux, arch/um/include/shared/mconsole.h)."""

import socket
import struct
import uuid
from pathlib import Path

from lab.errors import LabError

_MAGIC, _VERSION = 0xCAFEBABE, 2
_REQUEST, _REPLY = struct.Struct("=IiI512s"), struct.Struct("=III")
_LIMIT = 60.0


def ask(console: Path, command: str) -> str:
    """Give a command to a kernel and return its answer.

    Args:
        console: The kernel's socket.
        command: Such as `version` or `config mem=-16M`.

    Raises:
        LabError: There is no kernel, it refuses, or it says nothing within a minute.
    """
    words = command.encode()
    # Named, since the kernel answers to the name that it reads; short, since a name has room for 107 characters.
    own = console.with_name(f"ask-{uuid.uuid4().hex[:8]}")
    said = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        try:
            line.settimeout(_LIMIT)
            line.bind(str(own))
            line.sendto(_REQUEST.pack(_MAGIC, _VERSION, len(words), words), str(console))
            more = 1
            while more:
                reply = line.recv(8192)
                refused, more, length = _REPLY.unpack_from(reply)
                said += reply[_REPLY.size : _REPLY.size + length]
        except OSError as error:
            raise LabError(f"the kernel does not answer `{command}`: {error}", hint="does it run? lab status") from None
        finally:
            own.unlink(missing_ok=True)
    text = said.decode(errors="replace").rstrip("\0\n")
    if refused:
        raise LabError(f"the kernel refused `{command}`: {text}")
    return text


def give_back(console: Path, free: int) -> None:
    """Let a kernel return memory that it does not use to this host.

    A user-mode kernel keeps every page that it ever touched. Unplugging its free pages and plugging
    them in again leaves them usable, and costs this host nothing until they are touched anew.

    Args:
        console: The kernel's socket.
        free: MiB that are free on the node, less what it needs meanwhile.
    """
    if free > 0:
        ask(console, f"config mem=-{free}M")
        ask(console, f"config mem=+{free}M")
