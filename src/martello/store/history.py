"""What is kept, as the batches that it once was: rules are tried on it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.core.errors import MartelloError
from martello.store import segments
from martello.store.compact import unified
from martello.store.lake import DUPLICATE, OWN, Lake, Segment
from martello.store.segments import FOREVER
from martello.store.state import State


class History:
    """The events of a window (microseconds since 1970), segment by segment in the order of their
    first event. Once it was walked, `unread` names the segments whose files are missing or damaged,
    and `bare` counts those whose raw part is no longer kept though it was asked for: what is made
    of the others is unassessed.
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
        """Tables of one kind each, by time, without second copies."""
        for one in self.known:
            try:
                rows = self._read(one)
            except MartelloError:
                self.unread.append(one.columns_file)
                continue
            if rows.num_rows:
                self.events += rows.num_rows
                yield rows

    def _read(self, one: Segment) -> pa.Table:
        if self._raw:
            rows = with_raw(self._lake, one)
            if "raw" not in rows.column_names:
                self.bare += 1
                rows = rows.append_column("raw", pa.nulls(rows.num_rows, pa.string()))
        else:
            rows = unified(self._lake.read(one.columns_file), one.kind)
        since, until = self._window
        time = pc.cast(rows["time"], pa.int64())
        shown = pc.invert(pc.fill_null(rows[DUPLICATE], False))
        if one.first_at < since:
            shown = pc.and_(shown, pc.greater_equal(time, since * 1000))
        if one.last_at >= until:
            shown = pc.and_(shown, pc.less(time, until * 1000))
        return rows.filter(shown).drop_columns([name for name, _ in OWN])


def with_raw(lake: Lake, one: Segment) -> pa.Table:
    """The rows of a segment with what they were received as (`raw`), where that is still kept: it
    has the place of each, in whatever order. Raises MartelloError.
    """
    rows = unified(lake.read(one.columns_file), one.kind)
    if not one.raw_file:
        return rows
    try:
        raw = lake.read(one.raw_file)
    except MartelloError:
        return rows
    pairs = zip(_places(raw), _places(rows), strict=False)
    if raw.num_rows == rows.num_rows and all(mine == theirs for mine, theirs in pairs):
        return rows.append_column("raw", raw["raw"])
    at = {place: i for i, place in enumerate(_places(raw))}
    wanted = pa.array([at.get(place) for place in _places(rows)], pa.int64())
    return rows.append_column("raw", raw["raw"].combine_chunks().take(wanted))


def _places(rows: pa.Table) -> Iterator[tuple[str, int]]:
    """Where each row was sealed."""
    return zip(rows["o_seg"].to_pylist(), rows["o_pos"].to_pylist(), strict=True)
