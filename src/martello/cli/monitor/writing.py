"""What was judged goes into the lake, and how far the logs were read goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters.intake.decode import Decoder
from martello.adapters.intake.mark import Mark, all_of, all_written, merged
from martello.cli.monitor.arrived import Judged, Waiting
from martello.core.errors import Unreachable
from martello.store.intake import Intake
from martello.store.spool import Spool

SEGMENT: Final = 48 << 20  # bytes of bodies that are written at once, and before the time
_MOST_MARKS: Final = 5_000  # logs of a source whose places are kept


class Writer:
    """The one thread that writes calls `write`."""

    def __init__(
        self, intakes: Mapping[str, Intake], waiting: Waiting, spool: Spool, decoder: Decoder
    ) -> None:
        self._intakes = intakes
        self._waiting = waiting
        self._spool = spool
        self._decoder = decoder
        self._marks: dict[str, dict[tuple[int, int], Mark]] = {}

    def renew(self) -> None:
        """Keeps the leases. Raises MartelloError."""
        for intake in tuple(self._intakes.values()):
            intake.renew()

    def write(self) -> None:
        """Everything that was judged. Raises MartelloError."""
        for key, intake in tuple(self._intakes.items()):
            while runs := self._waiting.take(key, intake.mine.committed, SEGMENT):
                tables = self._tables(key, runs)
                if intake.put(tables, runs[-1].last, mark=self._mark(key, intake, runs)) is None:
                    raise Unreachable(f"cannot write {key}", "another daemon has it", "end that")

    def _mark(self, key: str, intake: Intake, runs: Sequence[Judged]) -> str | None:
        found = self._marks.setdefault(key, merged(all_of(intake.mine.mark)))
        for one in runs:
            for each, mark in merged(one.marks).items():
                found.pop(each, None)
                found[each] = mark
        for old in list(found)[: max(0, len(found) - _MOST_MARKS)]:
            del found[old]
        return all_written(found.values()) if found else None

    def _tables(self, key: str, runs: Sequence[Judged]) -> dict[str, Any]:
        return joined(
            self._from_disk(key, one) if one.tables is None else one.tables for one in runs
        )

    def _from_disk(self, key: str, run: Judged) -> dict[str, Any]:
        """What was let go for want of room, read again: by a decoder of its own."""
        frames = self._spool.read(key, run.first, run.size + 1)
        bodies = (one.body for one in frames if one.position < run.last)
        return self._decoder.fresh().tables(key.split("/")[1], bodies)


def joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Tables by kind, one after another."""
    found: dict[str, list[Any]] = {}
    for tables in parts:
        for kind, rows in tables.items():
            found.setdefault(kind, []).append(rows)
    return {kind: pa.concat_tables(each) for kind, each in found.items()}
