"""Zip archives: the central directory read once, members inflated one by one and bounded.

The standard library's zipfile makes an object for each member, which a hostile archive multiplies
by the hundred thousand; here only the wanted ones become one, and the bytes that a reader may
inflate are known beforehand. Source: PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_DIRECTORY: Final = 32 << 20  # bytes of the central directory: some 300,000 members
_CHUNK: Final = 1 << 18
_IN_MEMORY: Final = 4 << 20
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_STORED: Final = 0
_DEFLATED: Final = 8


class Member(msgspec.Struct, frozen=True):
    """One file of an archive; `offset` is that of its local header."""

    name: str
    encrypted: bool
    method: int
    packed: int
    size: int
    offset: int


class Archive(msgspec.Struct, frozen=True):
    """An open archive; `shift` bytes of another file (a script that starts it) stand before."""

    file: IO[bytes]
    length: int
    shift: int
    directory: bytes


class _Window(io.RawIOBase):
    """A part of a seekable file: a stored archive in an archive is read in place."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, self._size)[whence] + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(view), max(0, self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_archive(file: IO[bytes]) -> Archive:
    """The archive of a seekable file. Raises ValueError where it is none, or has too many
    members.
    """
    length = file.seek(0, io.SEEK_END)
    tail_at = max(0, length - (1 << 16) - _END.size)
    tail = _at(file, tail_at, length - tail_at)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or len(tail) - found < _END.size:
        raise ValueError("it is no zip archive, or a truncated one")
    end = tail_at + found
    *_, size, offset, _ = _END.unpack_from(tail, found)
    size, offset, end = _end64(file, end, size, offset)
    if size > min(_DIRECTORY, end):
        raise ValueError("its directory is damaged or has more than 32 MiB")
    shift = end - size - offset
    if shift < 0:
        raise ValueError("its directory is damaged")
    return Archive(file, length, shift, _at(file, end - size, size))


def members(archive: Archive, wanted: Callable[[bytes], bool]) -> Iterator[Member]:
    """The members whose names are wanted, in order. Raises ValueError at the damaged one."""
    data, position = archive.directory, 0
    while position + _CENTRAL.size <= len(data):
        found = _CENTRAL.unpack_from(data, position)
        if found[0] != b"PK\1\2":
            raise ValueError("its directory is damaged")
        _, _, _, flags, method, _, _, _, packed, size, name_size, extra_size, comment, *_ = found
        start = position + _CENTRAL.size
        name = data[start : start + name_size]
        position = start + name_size + extra_size + comment
        if not wanted(name):
            continue
        offset = found[-1]
        if 0xFFFFFFFF in (packed, size, offset):
            extra = data[start + name_size : start + name_size + extra_size]
            size, packed, offset = _wide(extra, size, packed, offset)
        text = name.decode("utf-8", "replace")
        yield Member(text, bool(flags & 1), method, packed, size, offset + archive.shift)


def inflated(archive: Archive, member: Member, largest: int) -> bytes:
    """The bytes of a member. Raises ValueError where it is damaged or has more than `largest`."""
    return b"".join(_parts(archive, member, largest))


def nested(archive: Archive, member: Member, largest: int) -> IO[bytes]:
    """A member as a seekable file, to be closed: in place where it is stored, else in memory or a
    temporary file. Raises ValueError.
    """
    if member.method == _STORED and not member.encrypted and member.packed <= largest:
        window = _Window(archive.file, _start(archive, member), member.packed)
        return io.BufferedReader(window)
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    try:
        for part in _parts(archive, member, largest):
            spool.write(part)
    except BaseException:
        spool.close()
        raise
    return spool


def _parts(archive: Archive, member: Member, largest: int) -> Iterator[bytes]:
    if member.encrypted or member.method not in (_STORED, _DEFLATED):
        raise ValueError(f"{member.name[:80]} is encrypted or compressed by another method")
    if member.size > largest:
        raise ValueError(f"{member.name[:80]} has more than {largest >> 10:,} KiB")
    archive.file.seek(_start(archive, member))
    left, made = member.packed, 0
    engine = None if member.method == _STORED else zlib.decompressobj(-zlib.MAX_WBITS)
    while left > 0:
        data = archive.file.read(min(left, _CHUNK))
        if not data:
            raise ValueError(f"{member.name[:80]} is cut off")
        left -= len(data)
        while data:
            try:
                part = data if engine is None else engine.decompress(data, _CHUNK)
            except zlib.error as error:
                raise ValueError(f"{member.name[:80]} is damaged") from error
            made += len(part)
            if made > member.size:
                raise ValueError(f"{member.name[:80]} has more bytes than the directory says")
            yield part
            data = b"" if engine is None else engine.unconsumed_tail
    if engine is not None:
        yield engine.flush()  # what is left of its last step: a few hundred bytes at most
        if not engine.eof:
            raise ValueError(f"{member.name[:80]} is cut off")


def _start(archive: Archive, member: Member) -> int:
    local = _at(archive.file, member.offset, 30)
    if len(local) < 30 or local[:4] != b"PK\3\4":
        raise ValueError(f"{member.name[:80]} is not where the directory says")
    name_size, extra_size = struct.unpack_from("<2H", local, 26)
    return member.offset + 30 + int(name_size) + int(extra_size)


def _end64(file: IO[bytes], end: int, size: int, offset: int) -> tuple[int, int, int]:
    locator = _at(file, end - 20, 20) if end >= 20 else b""
    if locator[:4] != b"PK\6\7":
        return size, offset, end
    record_at = end - 20 - _END64.size  # it has no extensible data in any writer known
    record = _at(file, record_at, _END64.size) if record_at >= 0 else b""
    if len(record) < _END64.size or record[:4] != b"PK\6\6":
        raise ValueError("its directory is damaged")
    *_, size, offset = _END64.unpack(record)
    return size, offset, record_at


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset with those of a zip64 extra field in the place of 0xFFFFFFFF."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            field = extra[position + 4 : position + 4 + length]
            numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
            size, packed, offset = (
                next(numbers, number) if number == 0xFFFFFFFF else number
                for number in (size, packed, offset)
            )
            break
        position += 4 + length
    return size, packed, offset


def _at(file: IO[bytes], offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)
