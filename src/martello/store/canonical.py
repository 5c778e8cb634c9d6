"""What is sealed of an event: bytes that say the same columns for ever, however a file stores them.

A segment's columns are those that have a value in any of its rows, by name. A row is, for each of
them, the length of its value (u32, little endian, all ones: null), then the values: text as UTF-8,
numbers and times as 8 bytes, truth as one, lists and maps as netstrings of their elements (`-` is
null). The first leaf of a segment is the names. So a column that is added later, compaction and
another order of columns change nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.store import merkle

OWN: Final = ("o_seg", "o_pos", "o_dup")  # the lake's own columns; not sealed
_SLICE: Final = 65_536  # rows at once
_BYTES: Final = pa.large_binary()
_NONE: Final = 0xFFFFFFFF


class Leaves(msgspec.Struct, frozen=True):
    """The names of the sealed columns, and the hashes of rows in their order."""

    names: tuple[str, ...]
    rows: list[bytes]

    @property
    def all(self) -> list[bytes]:
        """The leaves of the tree."""
        return [names_leaf(self.names), *self.rows]

    @property
    def root(self) -> str:
        """The root of the tree, in hexadecimal."""
        return merkle.root(self.all).hex()

    @property
    def set(self) -> str:
        """A hash of the rows whatever their order."""
        return hashlib.sha256(b"".join(sorted(self.rows))).hexdigest()


def names_leaf(names: Sequence[str]) -> bytes:
    """The leaf that says which columns the rows have."""
    return merkle.leaf(msgspec.json.encode(names))


def sealed_names(table: pa.Table) -> tuple[str, ...]:
    """The columns of a segment's rows that are sealed."""
    given = (name for name in table.column_names if name != "raw" and name not in OWN)
    return tuple(sorted(name for name in given if table[name].null_count < table.num_rows))


def column_leaves(table: pa.Table) -> Leaves:
    """The leaves of a segment's columns; rows are in the order of the segment."""
    names = sealed_names(table)
    found: list[bytes] = []
    for start in range(0, table.num_rows, _SLICE):
        found += _hashes(row_bytes(table.slice(start, _SLICE), names))
    return Leaves(names, found)


def raw_leaves(raw: pa.ChunkedArray) -> list[bytes]:
    """The leaves of what was received, in the order of the segment."""
    found: list[bytes] = []
    for chunk in raw.chunks:
        content = pc.fill_null(chunk.cast(_BYTES), b"")
        found += _hashes(_joined([pa.scalar(b"\0", _BYTES), content]))
    return found


def row_bytes(table: pa.Table, names: Sequence[str]) -> pa.LargeBinaryArray:
    """Each row as it is sealed, behind the zero byte that makes it a leaf."""
    count = table.num_rows
    values = [_value(table[name].combine_chunks()) for name in names]
    lengths = np.empty((count, len(names)), "<u4")
    for i, value in enumerate(values):
        lengths[:, i] = _lengths(value)
    heads = _fixed(lengths, 4 * len(names), count)
    return _joined([pa.scalar(b"\0", _BYTES), heads, *values])


def parse_row(content: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The values of a sealed row by column, for those who check a proof."""
    lengths = struct.unpack_from(f"<{len(names)}I", content)
    at = 4 * len(names)
    found: dict[str, bytes] = {}
    for name, length in zip(names, lengths, strict=True):
        if length != _NONE:
            found[name] = content[at : at + length]
            at += length
    return found


def _value(column: pa.Array) -> pa.Array:
    """A column as bytes that are null where it is."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return column.cast(_BYTES)
    if pa.types.is_boolean(kind):
        return _masked(column, _fixed(_numbers(column, "u1"), 1, len(column)))
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return _masked(column, _fixed(_numbers(column, "<i8"), 8, len(column)))
    if pa.types.is_map(kind):
        ends = _offsets(column)
        keys, items = _window(column.keys, ends), _window(column.items, ends)
        pairs = _strings([_netstrings(keys), _netstrings(items)])
        return _masked(column, _gathered(pairs, ends))
    if pa.types.is_list(kind):
        ends = _offsets(column)
        return _masked(column, _gathered(_netstrings(_window(column.values, ends)), ends))
    raise TypeError(f"no column of the lake is {kind}")


def _netstrings(values: pa.Array) -> pa.Array:
    if not pa.types.is_string(values.type):
        values = values.cast(pa.string())
    told = _strings([pc.binary_length(values).cast(pa.string()), values], ":")
    return pc.fill_null(told, "-")


def _strings(parts: Sequence[pa.Array], between: str = "") -> pa.Array:
    return pc.binary_join_element_wise(*parts, between)


def _offsets(column: pa.Array) -> Any:
    return column.offsets.to_numpy()


def _window(values: pa.Array, ends: Any) -> pa.Array:
    return values.slice(int(ends[0]), int(ends[-1] - ends[0]))


def _gathered(texts: pa.Array, ends: Any) -> pa.Array:
    lists = pa.ListArray.from_arrays(pa.array(ends - ends[0], pa.int32()), texts)
    return pc.binary_join(lists, "").cast(_BYTES)


def _numbers(column: pa.Array, kind: str) -> Any:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    filled = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)
    return np.ascontiguousarray(filled.to_numpy(zero_copy_only=False).astype(kind))


def _fixed(content: Any, width: int, count: int) -> pa.Array:
    """Rows of one width, as bytes: the buffer and evenly spaced ends."""
    ends = np.arange(count + 1, dtype=np.int64) * width
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(content)]
    return pa.LargeBinaryArray.from_buffers(_BYTES, count, buffers)


def _masked(column: pa.Array, value: pa.Array) -> pa.Array:
    if not column.null_count:
        return value
    return pc.if_else(column.is_valid(), value, pa.scalar(None, _BYTES))


def _lengths(value: pa.Array) -> Any:
    return pc.fill_null(pc.binary_length(value), _NONE).to_numpy(zero_copy_only=False)


def _joined(parts: Sequence[Any]) -> pa.LargeBinaryArray:
    empty = pa.scalar(b"", _BYTES)
    return pc.binary_join_element_wise(*parts, empty, null_handling="replace", null_replacement=b"")


def _hashes(rows: pa.LargeBinaryArray) -> list[bytes]:
    sha = hashlib.sha256
    if not len(rows):
        return []
    _, ends, content = rows.buffers()
    first = rows.offset
    at = np.frombuffer(ends, np.int64)[first : first + len(rows) + 1].tolist()
    view = memoryview(content) if content is not None else memoryview(b"")
    return [sha(view[a:b]).digest() for a, b in itertools.pairwise(at)]
