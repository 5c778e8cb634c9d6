"""A network command run in this process."""

from __future__ import annotations

from pathlib import Path

from tests.support import asked
from tests.support.command import Done


def ask(*words: str, cwd: Path | None = None, columns: int = 80) -> Done:
    """Runs `martello network WORDS` as `tests.support.asked` does."""
    return asked.ask("network", *words, cwd=cwd, columns=columns)
