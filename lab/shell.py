"""Run a host program, and turn its failure into a message."""

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

TAIL = 12
"""Lines of a failed program's output that are worth showing."""


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def end_with_us() -> None:
    """Run in a child before it starts: the kernel ends it when this process ends, even by kill -9."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    stdin: str | None = None,
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
    try:
        if log is None:
            done = subprocess.run(
                argv, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
                preexec_fn=end_with_us,
            )  # fmt: skip
            output = done.stdout + done.stderr
        else:
            with log.open("a", encoding="utf-8") as stream:
                done = subprocess.run(
                    argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
                    text=True, timeout=timeout, check=False, preexec_fn=end_with_us,
                )  # fmt: skip
            output = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise LabError(f"{what}: the program {argv[0]} is missing", hint="see what to install: lab doctor") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{what}: no end within {timeout:.0f} s", detail=" ".join(argv), hint=hint) from None
    if done.returncode != 0:
        tail = "\n".join(output.strip().splitlines()[-TAIL:])
        more = f"whole log: {log}" if log is not None else ""
        raise LabError(f"{what}: {Path(argv[0]).name} exited {done.returncode}", detail=tail, hint=hint or more)
    return done.stdout or ""
