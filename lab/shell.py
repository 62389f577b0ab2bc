"""Run a host program, and turn its failure into a message."""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lab.errors import LabError

TAIL = 12
"""Lines of a failed program's output that are worth showing."""


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_GRACE = 5.0
"""Seconds that a program has to end by itself when it is told to."""

_running: set["subprocess.Popen[str]"] = set()
_guard = threading.Lock()


def end_with_us() -> None:
    """Run in a child before it starts: the kernel ends it when this process ends, even by kill -9."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_running() -> None:
    """End every program that `run` waits for in any thread, with all that it started."""
    with _guard:
        programs = list(_running)
    for program in programs:
        _end(program)


def _end(program: "subprocess.Popen[str]") -> None:
    """End a program and its whole process group: a compiler's driver does not always take its compilers along."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(program.pid, number)
        with suppress(subprocess.TimeoutExpired):
            program.wait(_GRACE)
            break


@contextmanager
def _started(
    argv: list[str], cwd: Path | None, env: Mapping[str, str] | None, stdout: int | IO[str], stderr: int
) -> Iterator["subprocess.Popen[str]"]:
    """A program in a process group of its own, which ends with the block, however that is left."""
    program = subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True,
        preexec_fn=end_with_us, process_group=0,
    )  # fmt: skip
    with _guard:
        _running.add(program)
    try:
        with program:
            try:
                yield program
            except BaseException:
                _end(program)
                raise
    finally:
        with _guard:
            _running.discard(program)


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout: float | None = None,
    hint: str = "",
) -> str:
    """Run a program to its end and return what it wrote to its standard output.

    Args:
        command: Program and arguments.
        what: What is being done, in words; begins the error message.
        log: A file that the output is appended to instead; then nothing is returned.
        timeout: Seconds before the program is stopped.

    Raises:
        LabError: The program is missing, failed, or ran over its time.
    """
    argv = [str(part) for part in command]
    pipe = subprocess.PIPE
    said = ""
    try:
        if log is None:
            with _started(argv, cwd, env, pipe, pipe) as program:
                said, errors = program.communicate(timeout=timeout)
            output = said + errors
        else:
            with (
                log.open("a", encoding="utf-8") as stream,
                _started(argv, cwd, env, stream, subprocess.STDOUT) as program,
            ):
                program.wait(timeout)
            output = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise LabError(f"{what}: the program {argv[0]} is missing", hint="see what to install: lab doctor") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{what}: no end within {timeout:.0f} s", detail=" ".join(argv), hint=hint) from None
    if program.returncode != 0:
        tail = "\n".join(output.strip().splitlines()[-TAIL:])
        more = f"whole log: {log}" if log is not None else ""
        raise LabError(f"{what}: {Path(argv[0]).name} exited {program.returncode}", detail=tail, hint=hint or more)
    return said
