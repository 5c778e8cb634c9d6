"""The headers of an rpm database in rpm's own format, as SUSE's systems have it: Packages.db.

Source: rpm's lib/backend/ndb/rpmpkg.c: little-endian; pages of slots (magic, package, first block,
blocks), and blobs in blocks of 16 bytes with a head (magic, package, time, length) and a tail.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, Final

MAGIC: Final = b"RpmP"
_PAGE: Final = 4096
_BLOCK: Final = 16
_SLOT: Final = struct.Struct("<4sIII")
_HEAD: Final = struct.Struct("<4sIII")
_TAIL: Final = struct.Struct("<II4s")
_LARGEST_HEADER: Final = 64 << 20


def headers(file: IO[bytes]) -> Iterator[bytes]:
    """The headers of a database file. Raises ValueError where it is damaged."""
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(32)
    if len(start) < 32 or start[:4] != MAGIC:
        raise ValueError("it is no database of rpm's own format")
    version, _, pages = struct.unpack_from("<III", start, 4)
    if version != 0:
        raise ValueError(f"it is of version {version}, only 0 is known")
    if not pages or pages * _PAGE > length:
        raise ValueError("it is cut off")
    given = 0
    for page in range(pages):
        file.seek(page * _PAGE)
        data = file.read(_PAGE)
        for position in range(32 if page == 0 else 0, _PAGE, _SLOT.size):
            magic, package, block, blocks = _SLOT.unpack_from(data, position)
            if magic != b"Slot":
                raise ValueError("a page of its index is damaged")
            if not block:
                continue
            given += blocks * _BLOCK
            if given > length:  # slots may not overlap
                raise ValueError("its index is damaged")
            yield _blob(file, package, block, blocks)


def _blob(file: IO[bytes], package: int, block: int, blocks: int) -> bytes:
    size = blocks * _BLOCK
    if size > _LARGEST_HEADER:
        raise ValueError("a header in it has more than 64 MiB")
    file.seek(block * _BLOCK)
    data = file.read(size)
    if len(data) < size or size < _HEAD.size + _TAIL.size:
        raise ValueError("it is cut off")
    magic, owner, _, length = _HEAD.unpack_from(data)
    _, again, end = _TAIL.unpack_from(data, size - _TAIL.size)
    if (magic, owner, end, again) != (b"BlbS", package, b"BlbE", length):
        raise ValueError("a header in it is damaged")
    if _HEAD.size + length + _TAIL.size > size:
        raise ValueError("a header in it is damaged")
    return data[_HEAD.size : _HEAD.size + length]
