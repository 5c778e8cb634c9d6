"""What happened, segment by segment in order of time: for replays, back-tests of rules, reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.core.errors import MartelloError
from martello.store import segments
from martello.store.compact import unified
from martello.store.lake import DUPLICATE, OWN, Lake, Segment
from martello.store.segments import FOREVER
from martello.store.state import State


class Part(msgspec.Struct, frozen=True):
    """The events of one segment, by time, without second copies; None where it cannot be read, and
    why: then what is made of the others is unassessed.
    """

    segment: Segment
    table: Any
    why: str = ""


def history(
    state: State,
    lake: Lake,
    kinds: Sequence[str] = (),
    since: int = 0,
    until: int = FOREVER,
    clusters: Sequence[str] = (),
    raw: bool = False,
) -> Iterator[Part]:
    """The segments of a window (microseconds since 1970), the oldest first. Tables have the columns
    of `adapters.batch` that are known today; with `raw` also that one, null where it is gone.
    """
    for one in segments.find(state, kinds, clusters, since, until):
        try:
            table = unified(lake.read(one.columns_file), one.kind)
            if raw:
                table = table.append_column("raw", _raw(lake, one, table))
        except MartelloError as error:
            yield Part(one, None, f"{error.what}: {error.why}")
            continue
        time = pc.cast(table["time"], pa.int64())
        shown = pc.invert(pc.fill_null(table[DUPLICATE], False))
        if one.first_at < since:
            shown = pc.and_(shown, pc.greater_equal(time, since * 1000))
        if one.last_at >= until:
            shown = pc.and_(shown, pc.less(time, until * 1000))
        rows = table.filter(shown).drop_columns([name for name, _ in OWN])
        if rows.num_rows:
            yield Part(one, rows)


def _raw(lake: Lake, one: Segment, table: pa.Table) -> pa.Array:
    """What the rows of a segment were received as."""
    if not one.raw_file or lake.files.size(one.raw_file) < 0:
        return pa.nulls(table.num_rows, pa.string())
    kept = lake.read(one.raw_file)
    places = zip(kept["o_seg"].to_pylist(), kept["o_pos"].to_pylist(), strict=True)
    at = {place: i for i, place in enumerate(places)}
    wanted = zip(table["o_seg"].to_pylist(), table["o_pos"].to_pylist(), strict=True)
    return kept["raw"].combine_chunks().take(pa.array([at.get(p) for p in wanted], pa.int64()))
