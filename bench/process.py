"""One command as a whole process: CPU, wall time and peak memory, as the kernel accounts them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Usage(NamedTuple):
    """Seconds of CPU, seconds of wall time, peak MiB of the largest process, exit code."""

    cpu: float
    wall: float
    memory: float
    code: int


def run(command: Sequence[str], out: Path, cwd: Path | None = None) -> Usage:
    """Runs a command once, its output kept in a file, its children counted."""
    begun = time.perf_counter()
    with out.open("wb") as stdout:
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env=_environment(),
        )
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, code)


def typical(command: Sequence[str], out: Path, times: int, cwd: Path | None = None) -> Usage:
    """The median of several runs after one that does not count."""
    run(command, out, cwd)
    runs = [run(command, out, cwd) for _ in range(times)]
    cpu, wall, memory = (median(usage[i] for usage in runs) for i in range(3))
    return Usage(cpu, wall, memory, runs[-1].code)


def _environment() -> dict[str, str]:
    """Ours, in which Python may keep its bytecode, as an installed program does."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
