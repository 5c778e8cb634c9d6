"""One command as a whole process: CPU, wall time and peak memory, as the kernel accounts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple


class Usage(NamedTuple):
    """Seconds of CPU, seconds of wall time, peak MiB of the largest process, exit code."""

    cpu: float
    wall: float
    memory: float
    code: int


# A small process starts the measured one: until it is replaced by its program, a child is as large
# as its parent, and the kernel keeps that as its peak.
_LAUNCHER: Final = """
import json, os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
nothing = os.open(os.devnull, os.O_RDWR)
begun = time.perf_counter()
pid = os.fork()
if not pid:
    os.dup2(nothing, 0), os.dup2(out, 1), os.dup2(nothing, 2)
    os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - begun
cpu = used.ru_utime + used.ru_stime
print(json.dumps([cpu, wall, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]))
"""


def run(command: Sequence[str], out: Path, cwd: Path | None = None) -> Usage:
    """Runs a command once, its output kept in a file, its children counted."""
    launcher = (sys.executable, "-S", "-c", _LAUNCHER, str(out), *command)
    done = subprocess.run(launcher, stdout=subprocess.PIPE, check=True, cwd=cwd, env=_environment())
    cpu, wall, memory, code = json.loads(done.stdout)
    return Usage(cpu, wall, memory, code)


def typical(command: Sequence[str], out: Path, times: int, cwd: Path | None = None) -> Usage:
    """The median of several runs after one that does not count."""
    run(command, out, cwd)
    runs = [run(command, out, cwd) for _ in range(times)]
    cpu, wall, memory = (median(usage[i] for usage in runs) for i in range(3))
    return Usage(cpu, wall, memory, runs[-1].code)


def _environment() -> dict[str, str]:
    """Ours, in which Python may keep its bytecode, as an installed program does."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
