"""What feeds come packed in: streams that are compressed in one of four ways, and archives or
folders of many files, read one file at a time, within limits.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from martello.adapters import tar
from martello.adapters.tarheader import TarTrouble
from martello.adapters.unpack import unpacked
from martello.core.errors import BadInput
from martello.practices.images.advisories.archive import Limits, whole
from martello.practices.images.advisories.record import Skipped

_CHUNK: Final = 1 << 16
_PART: Final = 1 << 20
# Uncompressed to compressed, once more than `_LENIENT` has come. An archive of documents that are
# alike (Red Hat's repeat all products) shrinks far more than one file does.
_RATIO: Final = 200
_RATIO_OF_ARCHIVES: Final = 5_000
_HOURS: Final = 6  # that reading an archive, and what its files say, may take
_LENIENT: Final = 64 << 20
_MEMORY: Final = 256 << 20  # that a decoder of xz may take


def unpacked_file(path: Path, largest: int, ratio: int = _RATIO) -> Iterator[bytes]:
    """What a file holds, uncompressed (gzip, zstd, bzip2, xz, by its first bytes), in parts of at
    most 1 MiB. Raises BadInput where it is damaged, or larger than `largest` bytes.
    """
    come = _Counted(path)
    total = 0
    try:
        for part in _uncompressed(come.parts()):
            total += len(part)
            if total > largest or (total > _LENIENT and total > ratio * come.bytes):
                why = f"it grows to more than {min(total, largest) >> 20} MiB"
                raise BadInput(f"cannot read {path}", why)
            yield part
    except TarTrouble as error:
        raise BadInput(f"cannot read {path}", str(error)) from None
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot read {path}", why) from None


def files_in(
    path: Path, wanted: Callable[[str], bool], limits: Limits | None = None
) -> Iterator[tuple[str, bytes] | Skipped]:
    """The files of a folder or of a tar archive whose name is wanted, each with its name. Raises
    BadInput where there is none, or the archive is damaged.
    """
    limits = limits or Limits()
    total = count = 0
    for found in _folder(path, wanted, limits) if path.is_dir() else _archive(path, wanted, limits):
        count += 1
        total += limits.record if isinstance(found, Skipped) else len(found[1])
        if count > limits.records or total > limits.total:
            raise BadInput(f"cannot read all of {path}", "it holds more than a feed may hold")
        yield found
    if not count:
        raise BadInput(f"cannot read {path}", "it holds no file of its kind")


def _folder(
    path: Path, wanted: Callable[[str], bool], limits: Limits
) -> Iterator[tuple[str, bytes] | Skipped]:
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if not wanted(name) or file.is_symlink() or not file.is_file():
            continue
        try:
            yield name, whole(file, limits.record)
        except BadInput as error:
            yield Skipped(name, error.why)


def _archive(
    path: Path, wanted: Callable[[str], bool], limits: Limits
) -> Iterator[tuple[str, bytes] | Skipped]:
    stream = _Stream(unpacked_file(path, limits.total, _RATIO_OF_ARCHIVES))
    try:
        for entry, body in tar.walk(stream.read, tar.Limits(seconds=_HOURS * 3600)):
            if entry.kind != "file" or not wanted(entry.path):
                continue
            if entry.size > limits.record:
                yield Skipped(entry.path, f"it is larger than {limits.record >> 20} MiB")
                continue
            yield entry.path, body.whole(limits.record)
    except TarTrouble as error:
        raise BadInput(f"cannot read {path}", str(error)) from None


class _Counted:
    """The bytes of a file, and how many have come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bytes = 0

    def parts(self) -> Iterator[bytes]:
        """The bytes, in parts."""
        with self._path.open("rb") as file:
            while part := file.read(_CHUNK):
                self.bytes += len(part)
                yield part


class _Stream:
    """The `read` that the tar walker wants, over parts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._held = b""

    def read(self, count: int) -> bytes:
        """At most `count` bytes, none at the end."""
        while not self._held:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._held = part
        given, self._held = self._held[:count], self._held[count:]
        return given


def _uncompressed(parts: Iterator[bytes]) -> Iterator[bytes]:
    first = next(parts, b"")
    if first.startswith(b"BZh"):
        return _decoded(first, parts, bz2.BZ2Decompressor)
    if first.startswith(b"\xfd7zXZ\0"):
        return _decoded(first, parts, lambda: lzma.LZMADecompressor(memlimit=_MEMORY))
    return unpacked(_joined(first, parts))[1]


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _decoded(
    data: bytes,
    rest: Iterator[bytes],
    made: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
) -> Iterator[bytes]:
    """All streams, one after the other."""
    decoder = made()
    while True:
        yield decoder.decompress(data, _PART)
        if decoder.eof:
            data = decoder.unused_data or next(rest, b"")
            if not data:
                return
            decoder = made()
        elif decoder.needs_input:
            data = next(rest, b"")
            if not data:
                raise EOFError("its compressed stream ends early")
        else:
            data = b""
