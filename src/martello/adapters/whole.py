"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole(file: str | Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """A file to write to that takes its place when all is written; until then, and where writing
    fails, what was there stays. A device or a pipe is written to, never replaced; a link stays one.
    `private` keeps others from reading it. Raises OSError.
    """
    if os.path.exists(file) and not os.path.isfile(file):
        with open(file, "wb") as out:
            yield out
        return
    place = Path(os.path.realpath(file))
    # a name that nobody can have laid a link at
    beside = place.with_name(f".martello-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with open(os.open(beside, flags, 0o600 if private else 0o666), "wb") as out:
            yield out
        beside.replace(place)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
