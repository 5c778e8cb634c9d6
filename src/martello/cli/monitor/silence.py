"""Sources that should tell something and do not, and the time in which nobody listened."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from martello.adapters.intake.door import DOORS
from martello.cli.monitor.watch import Watch
from martello.core.errors import MartelloError
from martello.store.segments import parse_name

EVERY: Final = 5.0  # seconds
NEVER_QUIET: Final = ("audit", "tetragon", "hubble")  # of a cluster that runs
_DOWN: Final = 3 * EVERY  # seconds without a sign of life that are told
_NS: Final = 1_000_000_000


class Alive:
    """A file whose time says when the daemon was last alive."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "alive"

    def began(self, watch: Watch) -> None:
        """Notes a gap for each source that is sent to us, where nobody listened for a while."""
        now = time.time_ns()
        try:
            last = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            last = now
        if now - last > _DOWN * _NS:
            names = {parse_name(key).kind.partition("+")[0] for key in watch.keeper.spool.sources()}
            for source in sorted(names & set(DOORS.values())):
                why = "the monitor was not running: what was sent meanwhile is not known"
                watch.keeper.missing.note(source, "died", why, last, now)
        self.sign()

    def sign(self) -> None:
        """It is alive. Raises MartelloError."""
        try:
            self._path.touch(mode=0o600)
            os.utime(self._path)
        except OSError as error:
            why = error.strerror or str(error)
            raise MartelloError(f"cannot write {self._path}", why) from None


class Silence:
    """Notes a gap for each source that is silent for longer than `most` seconds."""

    def __init__(self, watch: Watch, most: float, sources: tuple[str, ...] = NEVER_QUIET) -> None:
        self._watch = watch
        self._most = int(most * _NS)
        self._sources = sources
        self._told: dict[str, int] = {}  # by source: silence up to here is told

    def look(self) -> None:
        """Once every few seconds."""
        now = time.time_ns()
        for key, heard in list(self._watch.keeper.heard.items()):
            source = parse_name(key).kind
            if source not in self._sources:
                continue
            since = max(heard, self._told.get(key, 0))
            if now - since > self._most:
                self._watch.keeper.missing.note(source, "silent", f"{key} told nothing", since, now)
                self._told[key] = now
