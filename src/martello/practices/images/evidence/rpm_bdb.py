"""The headers of an rpm database in Berkeley DB, the format before rpm 4.16: a hash, Packages.

Sources: rpm's own read-only reader (lib/backend/bdb_ro) and Berkeley DB's page layout. The pages
are in the byte order of the machine that wrote them. Each hash page lists offsets of keys and
values in turn; a value that is larger than a page lies in a chain of overflow pages.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO, Final

import msgspec

_HASH: Final = 0x00061561
_VERSIONS: Final = range(8, 11)
_HASH_PAGES: Final = frozenset((2, 13))  # unsorted (before 4.6), sorted
_OVERFLOW: Final = 7
_ON_PAGE: Final = 1
_OFF_PAGE: Final = 3
_PAGE_HEADER: Final = 26
_LARGEST_HEADER: Final = 64 << 20


class _File(msgspec.Struct, frozen=True):
    file: IO[bytes]
    order: str  # < or >, as struct writes byte orders
    page: int
    pages: int


def is_hash(head: bytes) -> bool:
    """Whether a file that begins so is a hash of Berkeley DB."""
    return head[12:16] in (struct.pack("<I", _HASH), struct.pack(">I", _HASH))


def headers(file: IO[bytes]) -> Iterator[bytes]:
    """The headers of a database file. Raises ValueError where it is damaged."""
    database = _open(file)
    left = 2 * database.page * database.pages  # values may not share pages: a bound on loops
    for number in range(1, database.pages):
        data = _page(database, number)
        if data[25] not in _HASH_PAGES:
            continue
        for value in _values(database, data):
            left -= len(value)
            if left < 0:
                raise ValueError("its pages refer to each other")
            if len(value) > 16:  # smaller: the number that the next package gets
                yield value


def _open(file: IO[bytes]) -> _File:
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    meta = file.read(512)
    if len(meta) < 512 or not is_hash(meta):
        raise ValueError("it is no hash of Berkeley DB")
    order = "<" if meta[12:16] == struct.pack("<I", _HASH) else ">"
    version, page = struct.unpack_from(f"{order}II", meta, 16)
    (last,) = struct.unpack_from(f"{order}I", meta, 32)
    if version not in _VERSIONS:
        raise ValueError(f"it is a hash of version {version}, known are 8 to 10")
    if meta[24]:
        raise ValueError("it is encrypted")
    if page not in (512 << shift for shift in range(8)):
        raise ValueError("its page size is damaged")
    if (last + 1) * page > length:
        raise ValueError("it is cut off")
    return _File(file, order, page, last + 1)


def _page(database: _File, number: int) -> bytes:
    if not 0 < number < database.pages:
        raise ValueError("a page refers to one that is not there")
    database.file.seek(number * database.page)
    data = database.file.read(database.page)
    if len(data) < database.page:
        raise ValueError("it is cut off")
    return data


def _values(database: _File, data: bytes) -> Iterator[bytes]:
    (count,) = struct.unpack_from(f"{database.order}H", data, 20)
    if _PAGE_HEADER + 2 * count > database.page:
        raise ValueError("a page of it is damaged")
    offsets = struct.unpack_from(f"{database.order}{count}H", data, _PAGE_HEADER)
    for index in range(1, count, 2):
        # items grow down from the end of the page: the value ends where its key begins
        at, end = offsets[index], offsets[index - 1]
        if not _PAGE_HEADER <= at < end <= database.page:
            raise ValueError("a page of it is damaged")
        if data[at] == _ON_PAGE:
            yield data[at + 1 : end]
        elif data[at] == _OFF_PAGE and at + 12 <= database.page:
            first, size = struct.unpack_from(f"{database.order}II", data, at + 4)
            yield _chain(database, first, size)


def _chain(database: _File, number: int, size: int) -> bytes:
    if size > min(_LARGEST_HEADER, database.page * database.pages):
        raise ValueError("a header in it is larger than the file or than 64 MiB")
    parts: list[bytes] = []
    while size > 0:
        data = _page(database, number)
        (number,) = struct.unpack_from(f"{database.order}I", data, 16)
        (used,) = struct.unpack_from(f"{database.order}H", data, 22)
        if data[25] != _OVERFLOW or not 0 < used <= min(size, database.page - _PAGE_HEADER):
            raise ValueError("an overflow page is damaged")
        parts.append(data[_PAGE_HEADER : _PAGE_HEADER + used])
        size -= used
    return b"".join(parts)
