"""Columns made from others before atoms are evaluated: ASCII letters of one case, keys of maps.

Polars folds all of Unicode and has no maps; Arrow does just what the tree means.
"""

from __future__ import annotations

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]


class Derived:
    """What has to be made of a batch, by name; in the order in which it was asked for."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, str, str]] = {}  # name → how, source, argument

    def cased(self, how: str, source: str) -> str:
        """The name of a column of texts in lower or upper case (ASCII letters alone)."""
        return self._asked(how, source, "")

    def key(self, source: str, key: str) -> str:
        """The name of the column of a map's values at a key."""
        return self._asked("key", source, key)

    def _asked(self, how: str, source: str, argument: str) -> str:
        name = f"{how} {source} {argument}"
        self._made.setdefault(name, (how, source, argument))
        return name

    def sources(self, name: str) -> frozenset[str]:
        """The columns of the batch that a name stands for."""
        while name in self._made:
            name = self._made[name][1]
        return frozenset((name,))

    def add(self, rows: pa.Table, wanted: frozenset[str]) -> pa.Table:
        """The batch with those of its derived columns that are wanted."""
        needed = set(wanted)
        for name in reversed(self._made):
            if name in needed:
                needed.add(self._made[name][1])
        for name, (how, source, argument) in self._made.items():
            if name in needed and name not in rows.column_names:
                rows = rows.append_column(name, _made(how, rows[source], argument))
        return rows


def _made(how: str, column: pa.ChunkedArray, argument: str) -> pa.Array:
    if how == "key":
        if not len(column):
            return pa.array([], pa.string())
        return pc.map_lookup(column, pa.scalar(argument), "last")
    change = pc.ascii_lower if how == "lower" else pc.ascii_upper
    if not pa.types.is_list(column.type):
        return change(column)
    lists = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], column.type)
    flat = change(lists.flatten())
    sizes = pc.fill_null(pc.list_value_length(lists), 0)
    ends = pc.cumulative_sum(sizes).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(offsets, flat, mask=lists.is_null())
