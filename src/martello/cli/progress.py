"""Progress of long work: one line on stderr, only on a terminal, only after half a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Progress:
    """Shows `stage done/total`, at most ten times a second, and wipes itself out at the end."""

    def __init__(self, quiet: bool = False) -> None:
        self._on = not quiet and sys.stderr.isatty()
        self._begun = time.monotonic()
        self._last = 0.0
        self._shown = False

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Says where the work is."""
        now = time.monotonic()
        if not self._on or now - self._begun < 0.5 or now - self._last < 0.1:
            return
        self._last = now
        count = f" {done:,}/{total:,}" if total else f" {done:,}" if done else ""
        sys.stderr.write(f"\r\x1b[K{stage}{count}")
        sys.stderr.flush()
        self._shown = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
