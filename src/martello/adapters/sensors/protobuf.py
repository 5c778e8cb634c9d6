"""The wire format of protocol buffers, as far as messages of logs need it.

Source: protobuf.dev/programming-guides/encoding. Bounded in fields and depth by who calls.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
_MOST_FIELDS: Final = 1_000_000


class BadWire(Exception):
    """The bytes are no message."""


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """The number, wire type and value of each field, in order. Raises BadWire, for groups too."""
    view = memoryview(message)
    at = count = 0
    size = len(view)
    while at < size:
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        count += 1
        if not number or count > _MOST_FIELDS:
            raise BadWire("a field without a number, or too many fields")
        if wire == VARINT:
            value, at = _varint(view, at)
            yield number, wire, value
        elif wire == BYTES:
            length, at = _varint(view, at)
            if length > size - at:
                raise BadWire("a field is longer than its message")
            yield number, wire, view[at : at + length]
            at += length
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
            if length > size - at:
                raise BadWire("a number is cut")
            yield number, wire, int.from_bytes(view[at : at + length], "little")
            at += length
        else:
            raise BadWire("a wire type that is not used any more")


def double(bits: int) -> float:
    """The number of a field of eight bytes."""
    return float(struct.unpack("<d", bits.to_bytes(8, "little"))[0])


def signed(value: int) -> int:
    """A varint as an int64."""
    return value - (1 << 64) if value >> 63 else value


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise BadWire("a number has no end")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
