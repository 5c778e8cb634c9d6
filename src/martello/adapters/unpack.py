"""Decompression of streams, told by their first bytes: gzip, zstd or none; each step is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, cast

from isal import igzip_lib

from martello.adapters.tarheader import TarTrouble
from martello.adapters.zstd import BOUNDED, zstd

_MALFORMED: Final = cast(type[Exception], igzip_lib.IsalError)  # its stub has an instance
LARGEST_PART: Final = 1 << 18  # bytes that come out at a time: hashed while in the cache
_INPUT: Final = 1 << 16  # bytes that go in at a time: small enough to stay in the cache
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OTHERS: Final = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"hsqs": "squashfs",
}


def kind_of(start: bytes) -> str:
    """`gzip`, `zstd`, or nothing, by the first bytes."""
    if start.startswith(_GZIP):
        return "gzip"
    return "zstd" if start.startswith(_ZSTD) or _skippable(start) else ""


def unpacked(parts: Iterator[bytes]) -> tuple[str, Iterator[bytes]]:
    """How a stream is compressed (as `kind_of` says), and what it holds, at most 256 KiB at a time.
    A part may be empty: much can come in and nothing out. Raises TarTrouble, then or later, where
    it is malformed, cut, or compressed in another way.
    """
    even = _evenly(parts)
    first = next(even, b"")
    kind = kind_of(first)
    if kind == "gzip":
        return kind, _gunzip(first, even)
    if kind == "zstd":
        return kind, _unzstd(first, even)
    for magic, name in _OTHERS.items():
        if first.startswith(magic):
            raise TarTrouble(f"it is compressed with {name}, which is not read")
    return kind, _plain(first, even)


def _plain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _evenly(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, small parts joined and large ones cut."""
    small: list[bytes] = []
    size = 0
    for part in parts:
        if size + len(part) < _INPUT:
            small.append(part)
            size += len(part)
            continue
        if small:
            small.append(part)
            part = b"".join(small)
            small, size = [], 0
        if len(part) <= 2 * _INPUT:
            yield part
            continue
        for at in range(0, len(part), _INPUT):
            yield part[at : at + _INPUT]
    if small:
        yield b"".join(small)


def _gunzip(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """All members, one after the other. NULs may follow the last one, as tapes have them."""
    inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    data: bytes | None = first
    while data is not None:
        if inflate.eof:
            data = data.lstrip(b"\0")
            if not data:
                data = next(rest, None)
                continue
            data += b"" if len(data) > 1 else next(rest, b"")
            if not data.startswith(_GZIP):
                raise TarTrouble("something other than gzip follows its last gzip member")
            inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        yield _inflated(inflate, data)  # not kept here: its memory serves the next part
        if inflate.eof:
            data = inflate.unused_data or next(rest, None)
        else:
            data = next(rest, None) if inflate.needs_input else b""
    if not inflate.eof:
        raise TarTrouble("its gzip stream ends early")


def _inflated(inflate: igzip_lib.IgzipDecompressor, data: bytes) -> bytes:
    try:
        return inflate.decompress(data, LARGEST_PART)
    except (_MALFORMED, EOFError, ValueError) as error:
        raise TarTrouble("its gzip stream is malformed") from error


def _unzstd(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """All frames, one after the other: each has a decompressor of its own."""
    inflate: zstd.ZstdDecompressor | None = None
    for data in chain((first,), rest):
        left = memoryview(data)
        while left:
            if inflate is None:
                size = _frame(left)
                if size and _skippable(left):
                    left = left[size:]
                    yield b""
                    continue
                inflate = zstd.ZstdDecompressor(options=BOUNDED)
                part, left = (left[:size], left[size:]) if size else (left, left[:0])
            else:
                part, left = left, left[:0]
            yield _decompressed(inflate, part)
            while not inflate.eof and not inflate.needs_input:
                yield _decompressed(inflate, b"")
            if inflate.eof:
                if inflate.unused_data:
                    left = memoryview(inflate.unused_data + left)
                inflate = None
    if inflate is not None:
        raise TarTrouble("its zstd stream ends early")


def _frame(data: memoryview) -> int:
    """The size of the frame that begins here; 0 where it is not all here, or malformed."""
    try:
        return zstd.get_frame_size(data)
    except zstd.ZstdError:
        return 0


def _decompressed(inflate: zstd.ZstdDecompressor, data: bytes | memoryview) -> bytes:
    try:
        return inflate.decompress(data, LARGEST_PART)
    except zstd.ZstdError as error:
        raise TarTrouble("its zstd stream is malformed") from error


def _skippable(start: bytes | memoryview) -> bool:
    return len(start) >= 4 and start[1:4] == b"\x2a\x4d\x18" and start[0] & 0xF0 == 0x50
