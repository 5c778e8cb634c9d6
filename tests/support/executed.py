"""Functions for executors: of a module, so that other processes find them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    """Its square; three is refused."""
    if number == 3:
        raise ValueError("three\nis refused")
    return number * number


def slow_first(number: int) -> int:
    """Itself, the first one last."""
    time.sleep(0.5 if number == 0 else 0)
    return number


def dies(name: str) -> str:
    """A name with `die` in it kills its worker; `once:FILE` does so the first time."""
    if name.startswith("once:"):
        mark = Path(name.removeprefix("once:"))
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if name == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return name.upper()


def marks(place: str) -> int:
    """Leaves a file of this worker's, and takes a moment."""
    (Path(place) / str(time.monotonic_ns())).touch()
    time.sleep(0.05)
    return os.getpid()
