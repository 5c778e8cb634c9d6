"""Decompression of streams, told by their first bytes: gzip, zstd or none; each step is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, cast

import zstandard
from isal import igzip_lib

from martello.adapters.tarheader import TarTrouble

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


class _Frames:
    """Follows the frames of a zstd stream, as RFC 8878 lays them out, to know where it may end."""

    def __init__(self) -> None:
        self._held = b""
        self._skip = 0
        self._step: Callable[[bytes], int] = self._start
        self._checksum = False

    def feed(self, data: bytes) -> None:
        """Takes the next bytes. What is no frame is left to the decompressor to refuse."""
        at = 0
        while at < len(data):
            if self._skip:
                taken = min(self._skip, len(data) - at)
                self._skip -= taken
                at += taken
                continue
            window = self._held + data[at : at + 16]
            used = self._step(window)
            if not used:
                self._held = window
                at += 16
                continue
            at += used - len(self._held)
            self._held = b""

    @property
    def ended(self) -> bool:
        """Whether a frame has just ended."""
        return not self._held and not self._skip and self._step == self._start

    def _start(self, window: bytes) -> int:
        if _skippable(window):
            if len(window) < 8:
                return 0
            self._skip = int.from_bytes(window[4:8], "little")
            return 8
        if len(window) < 5:
            return 0
        flags = window[4]
        single = flags >> 5 & 1
        content = (single, 2, 4, 8)[flags >> 6]
        size = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + content
        self._checksum = bool(flags & 4)
        self._skip, self._step = size - 5, self._block
        return 5

    def _block(self, window: bytes) -> int:
        if len(window) < 3:
            return 0
        head = int.from_bytes(window[:3], "little")
        self._skip = 1 if head >> 1 & 3 == 1 else head >> 3
        if head & 1:
            self._skip += 4 if self._checksum else 0
            self._step = self._start
        return 3


def _skippable(start: bytes) -> bool:
    return len(start) >= 4 and start[1:4] == b"\x2a\x4d\x18" and start[0] & 0xF0 == 0x50


class _Followed:
    """The `read` that the decompressor wants, over parts."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first = first
        self._rest = rest
        self.frames = _Frames()

    def read(self, size: int = -1) -> bytes:
        """The next part."""
        part, self._first = self._first or next(self._rest, b""), b""
        self.frames.feed(part)
        return part


def _unzstd(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    source = _Followed(first, rest)
    reader = zstandard.ZstdDecompressor().stream_reader(
        source,  # type: ignore[arg-type]  # its stub asks for more than `read`
        read_size=_INPUT,
        read_across_frames=True,
        closefd=False,
    )
    while True:
        try:
            part = reader.read(LARGEST_PART)
        except zstandard.ZstdError as error:
            raise TarTrouble("its zstd stream is malformed") from error
        if not part:
            break
        yield part
    if not source.frames.ended:
        raise TarTrouble("its zstd stream ends early")
