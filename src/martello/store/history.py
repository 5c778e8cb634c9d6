"""What is kept, as the batches that it once was: rules are tried on it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.core.errors import Unreachable
from martello.store import segments
from martello.store.lake import DUPLICATE, Lake, Segment
from martello.store.segments import FOREVER
from martello.store.state import State


class History:
    """The events of a window, segment by segment in the order of their first event. Once it was
    walked, `unread` names the segments whose files are missing or damaged, and `bare` counts those
    whose raw part is no longer kept though it was asked for.
    """

    def __init__(
        self,
        state: State,
        lake: Lake,
        kinds: Sequence[str] = (),
        since: int = 0,
        until: int = FOREVER,
        clusters: Sequence[str] = (),
        *,
        raw: bool = False,
    ) -> None:
        self.known = segments.find(state, kinds, clusters, since, until)
        self.events = 0
        self.unread: list[str] = []
        self.bare = 0
        self._lake = lake
        self._window = (since, until)
        self._raw = raw

    def __iter__(self) -> Iterator[pa.Table]:
        """Tables of one kind each, without copies of what came twice."""
        for one in self.known:
            try:
                rows = self._read(one)
            except Unreachable:
                self.unread.append(one.columns_file)
                continue
            if rows.num_rows:
                self.events += rows.num_rows
                yield rows

    def _read(self, one: Segment) -> pa.Table:
        rows = self._lake.read(one.columns_file)
        if self._raw:
            rows = self._with_raw(rows, one)
        since, until = self._window
        time = pc.cast(rows["time"], pa.int64())
        chosen = pc.and_(
            pc.greater_equal(time, since * 1000), pc.less(time, min(until, 1 << 53) * 1000)
        )
        if DUPLICATE in rows.column_names:
            chosen = pc.and_not(chosen, pc.fill_null(rows[DUPLICATE], False))
        return rows.filter(chosen)

    def _with_raw(self, rows: pa.Table, one: Segment) -> pa.Table:
        """The rows with what they were read from: its file has them in the same order."""
        if one.raw_file:
            try:
                raw = self._lake.read(one.raw_file)
            except Unreachable:
                raw = None
            if (
                raw is not None
                and raw.num_rows == rows.num_rows
                and raw["o_pos"].equals(rows["o_pos"])
            ):
                return rows.append_column("raw", raw["raw"])
        self.bare += 1
        return rows.append_column("raw", pa.nulls(rows.num_rows, pa.string()))
