"""Events of one kind as an Arrow table, and back: the columns of `core.event` with Arrow's types.

Times are `timestamp[ns]` and UTC without saying so, as DuckDB keeps them to the nanosecond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]

from martello.core.event import COLUMNS, FLAGS

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "text": pa.string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("ns"),
    "map": pa.map_(pa.string(), pa.string()),
    "texts": pa.list_(pa.string()),
    "ints": pa.list_(pa.int64()),
    "bools": pa.list_(pa.bool_()),
}
_WRONG: Final = (pa.ArrowException, TypeError, ValueError, OverflowError)
Event = Mapping[str, Any]


@cache
def schema(kind: str) -> pa.Schema:
    """The columns that events of a kind have, in the order of `COLUMNS`, all nullable."""
    return pa.schema(
        [(name, _TYPES[one.type]) for name, one in COLUMNS.items() if kind in one.kinds]
    )


def table(kind: str, events: Iterable[Event]) -> pa.Table:
    """The events as rows, in order. A column that its kind has not is left out; a value of another
    type becomes null and its row is flagged `partial`.
    """
    rows = events if isinstance(events, Sequence) else list(events)
    found: dict[str, pa.Array] = {}
    wrong: set[int] = set()
    for field in schema(kind):
        values = [row.get(field.name) for row in rows]
        found[field.name] = _array(values, field.type, wrong)
    if wrong:
        flags = [_flagged(row.get("flags"), at in wrong) for at, row in enumerate(rows)]
        found["flags"] = pa.array(flags, pa.list_(pa.string()))
    return pa.table(found, schema=schema(kind))


def typed(kind: str, rows: pa.Table) -> pa.Table:
    """Rows that were kept with the columns of today: those of an older file lack some, and the
    lake's own are none of theirs.
    """
    have = set(rows.column_names)
    return pa.table(
        {
            field.name: rows[field.name].cast(field.type)
            if field.name in have
            else pa.nulls(rows.num_rows, field.type)
            for field in schema(kind)
        },
        schema=schema(kind),
    )


def events(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows as scalar events: nulls are absent, times ns since 1970."""
    found: list[dict[str, Any]] = [{} for _ in range(rows.num_rows)]
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if column.null_count == len(column):
            continue
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        as_map = pa.types.is_map(column.type)
        for event, value in zip(found, column.to_pylist(), strict=True):
            if value is not None:
                event[name] = dict(value) if as_map else value
    return found


def _array(values: list[Any], type_: pa.DataType, wrong: set[int]) -> pa.Array:
    """The values as one array; rows that do not fit are noted."""
    if pa.types.is_map(type_):
        values = [list(v.items()) if isinstance(v, Mapping) else v for v in values]
    if pa.types.is_list(type_):  # a text would be the list of its letters
        odd = [at for at, v in enumerate(values) if not isinstance(v, list | tuple | None)]
        for at in odd:
            values[at] = None
        wrong.update(odd)
    try:
        return pa.array(values, type_)
    except _WRONG:
        pass
    kept: list[Any] = []
    for at, value in enumerate(values):
        try:
            pa.array([value], type_)
            kept.append(value)
        except UnicodeEncodeError:
            wrong.add(at)
            kept.append(_mended(value))
        except _WRONG:
            wrong.add(at)
            kept.append(None)
    return pa.array(kept, type_)


def _mended(value: Any) -> Any:
    """Lone halves of surrogate pairs, which are no text, replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_mended(one) for one in value]
    return value


def _flagged(flags: Any, wrong: bool) -> list[str] | None:
    told = {one for one in flags if isinstance(one, str)} if isinstance(flags, list) else set()
    if wrong:
        told.add("partial")
    return [one for one in FLAGS if one in told] or None
