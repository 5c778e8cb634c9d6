"""From the spool into the lake: whole frames of one source, two files each, one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from martello.store import segments
from martello.store.frames import Frame
from martello.store.lake import Lake, Segment
from martello.store.segments import Name, Owned
from martello.store.spool import Spool
from martello.store.state import State

Tables = Mapping[str, Any]  # by kind, as `adapters.batch` has them
Decode = Callable[[Sequence[Frame]], Tables]
Within = Callable[[Connection, Tables], None]  # what else is kept in the same transaction: alerts
LEASE: Final = 60.0  # seconds


class Intake:
    """The writer of one source: make it before the receiver appends. `flush` is called every
    minute, or when enough has come.
    """

    def __init__(self, state: State, lake: Lake, spool: Spool, name: Name, holder: str) -> None:
        self._state = state
        self._lake = lake
        self._spool = spool
        self._holder = holder
        self.name = name
        self.mine: Owned = segments.own(state, name, holder, LEASE)
        spool.begin(name.key, self.mine.committed)
        spool.free(name.key, self.mine.committed)  # it died between commit and free

    def renew(self) -> bool:
        """Keeps the lease; False where another has the source: then end. Call it every 20 s."""
        kept = segments.renew(self._state, self.mine, LEASE)
        if kept is not None:
            self.mine = kept
        return kept is not None

    def flush(
        self,
        decode: Decode,
        within: Within | None = None,
        most: int = 32 << 20,
        until: int | None = None,
    ) -> tuple[Segment, ...] | None:
        """Writes what has come since the last commit, up to so many bytes and to a position (what
        is not judged yet must be read again after a crash), and frees it. Returns
        the segments (none: nothing had come), or None where another writer has the source.
        `decode` must give the same for the same frames; it may not raise for a bad event.
        """
        frames = self._spool.read(self.name.key, self.mine.committed, most)
        if until is not None:
            frames = [one for one in frames if one.position < until]
        if not frames:
            return ()
        return self.put(decode(frames), frames[-1].position + 1, within)

    def put(
        self, tables: Tables, last: int, within: Within | None = None, mark: str | None = None
    ) -> tuple[Segment, ...] | None:
        """The same for what is read already: all that the frames from the last commit up to `last`
        hold. `mark` is what the reader of the source must know to go on there.
        """
        first = self.mine.committed
        written: list[Segment] = []
        for kind in sorted(tables):
            written += self._lake.write(kind, tables[kind], self.name.key, first, last)
        self._lake.check(written)
        if not self.renew():
            return None
        with self._state.writing() as connection:
            mine = segments.commit_in(connection, self.mine, last, written, mark)
            if mine is None:
                return None
            if within is not None:
                within(connection, tables)
        self.mine = mine
        for kind, table in tables.items():
            self._lake.recent.keep(kind, table["id"].to_pylist())
        self._spool.free(self.name.key, last)
        return tuple(written)

    def close(self) -> None:
        """Gives the source back."""
        segments.release(self._state, self.mine)
