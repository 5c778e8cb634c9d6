"""The stream beneath a tar archive, and the content of one entry of it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from martello.adapters.tarheader import BLOCK, Parts, TarTrouble, TooMuch
from martello.core.body import TooLarge

PART: Final = 1 << 20  # bytes asked of a stream at a time
_SPOOL: Final = 1 << 20  # bytes of a file that are kept in memory
_HEAD: Final = 4096


class Source:
    """Takes, skips and peeks on a stream that comes in chunks, without joining them."""

    __slots__ = ("_at", "_chunk", "_clock", "_jump", "_passed", "_read", "_size", "_until")

    def __init__(
        self,
        read: Callable[[int], bytes],
        clock: Callable[[], float],
        seconds: float,
        jump: Callable[[int], int] | None = None,
    ) -> None:
        self._read = read
        self._jump = jump
        self._passed = 0
        self._chunk = b""
        self._at = 0
        self._size = 0
        self._clock = clock
        self._until = clock() + seconds

    @property
    def offset(self) -> int:
        """Bytes from the start."""
        return self._passed + self._at

    def take(self, count: int) -> bytes:
        """The next bytes, fewer only at the end."""
        at = self._at
        stop = at + count
        if stop <= self._size:
            self._at = stop
            return self._chunk[at:stop]
        return b"".join(self.parts(count))

    def parts(self, count: int) -> Iterator[bytes]:
        """The next bytes as they come, fewer only at the end."""
        while count > 0:
            if self._at == self._size and not self._fill():
                return
            part = self._chunk[self._at : self._at + count]
            self._at += len(part)
            count -= len(part)
            yield part

    def within(self, count: int) -> bool:
        """Passes over bytes where the chunk at hand has them all; whether it did."""
        at = self._at + count
        if at > self._size:
            return False
        self._at = at
        return True

    def skip(self, count: int) -> int:
        """Passes over bytes; what is missing at the end."""
        while True:
            left = self._size - self._at
            if count <= left:
                self._at += count
                return 0
            count -= left
            self._at = self._size
            if self._jump is not None and count > PART:
                missing = self._jump(count)
                self._passed += count - missing
                return missing
            if not self._fill():
                return count

    def peek(self, count: int) -> bytes:
        """The next bytes, which stay."""
        while self._size - self._at < count:
            more = self._more()
            if not more:
                break
            self._passed += self._at
            self._chunk = self._chunk[self._at :] + more
            self._at, self._size = 0, len(self._chunk)
        return self._chunk[self._at : self._at + count]

    def _fill(self) -> bool:
        self._passed += self._size
        self._chunk = b""  # lets go of it before the next one is made
        self._at = self._size = 0
        self._chunk = self._more()
        self._size = len(self._chunk)
        return self._size > 0

    def _more(self) -> bytes:
        if self._clock() > self._until:
            raise TooMuch("reading it takes longer than the limit")
        return self._read(PART)


class Content:
    """The content of one entry: read at most once, and before the next entry is asked for. Its
    stored bytes begin at `offset` of the archive.
    """

    __slots__ = ("_left", "_padding", "_source", "offset", "size")

    def __init__(self, source: Source | None, size: int, stored: int) -> None:
        self._source = source
        self.size = size
        self._left = stored
        self._padding = -stored % BLOCK
        self.offset = source.offset if source is not None else 0

    def head(self, count: int) -> bytes:
        """The first bytes, which stay: at most 4,096."""
        return self._open().peek(min(count, _HEAD, self._left)) if self._left else b""

    def whole(self, largest: int) -> bytes:
        """All bytes. Raises TooLarge, TarTrouble."""
        self._bound(largest)
        return b"".join(self._pieces())

    def spooled(self, largest: int) -> BinaryIO:
        """All bytes as a seekable file. Raises TooLarge, TarTrouble."""
        self._bound(largest)
        if self.size <= _SPOOL:
            return io.BytesIO(b"".join(self._pieces()))
        file: BinaryIO = tempfile.TemporaryFile(prefix="martello-")  # noqa: SIM115  the caller's
        try:
            self._write(file)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def leave(self) -> None:
        """Passes over what was not read."""
        source, self._source = self._source, None
        if source is None:
            return
        if source.within(self._left + self._padding):
            return
        if source.skip(self._left):
            raise TarTrouble("it ends within a file")
        source.skip(self._padding)

    def _bound(self, largest: int) -> None:
        if self.size > largest:
            raise TooLarge(f"{self.size:,} bytes, the limit is {largest:,}")

    def _open(self) -> Source:
        if self._source is None:
            raise TarTrouble("its content was passed over already")
        return self._source

    def _write(self, file: BinaryIO) -> None:
        for piece in self._pieces():
            file.write(piece)

    def _pieces(self) -> Iterator[bytes]:
        if not self._left:
            return
        for piece in self._open().parts(self._left):
            self._left -= len(piece)
            yield piece
        if self._left:
            raise TarTrouble("it ends within a file")


class SparseContent(Content):
    """The content of a sparse file: stored parts, and zeros between them."""

    __slots__ = ("_parts",)

    def __init__(self, source: Source, size: int, stored: int, parts: Parts) -> None:
        super().__init__(source, size, stored)
        self._parts = parts

    def head(self, count: int) -> bytes:
        """The first bytes, which stay: at most 4,096, and not beyond the first stored part."""
        count = min(count, _HEAD, self.size)
        offset, length = self._parts[0] if self._parts else (self.size, 0)
        if offset >= count:
            return bytes(count)
        data = self._open().peek(min(count - offset, length))
        following = self._parts[1][0] if len(self._parts) > 1 else self.size
        return (bytes(offset) + data).ljust(min(count, following), b"\0")

    def _write(self, file: BinaryIO) -> None:
        """Holes stay holes: what an archive does not hold costs neither time nor space."""
        for offset, piece in self._stored():
            file.seek(offset)
            file.write(piece)
        file.truncate(self.size)

    def _pieces(self) -> Iterator[bytes]:
        at = 0
        for offset, piece in self._stored():
            yield from _zeros(offset - at)
            yield piece
            at = offset + len(piece)
        yield from _zeros(self.size - at)

    def _stored(self) -> Iterator[tuple[int, bytes]]:
        """What is stored, piece by piece, and where in the file it belongs."""
        source = self._open()
        for offset, length in self._parts:
            for piece in source.parts(length):
                self._left -= len(piece)
                yield offset, piece
                offset += len(piece)
        if self._left:
            raise TarTrouble("it ends within a file")


def _zeros(count: int) -> Iterator[bytes]:
    for at in range(0, count, PART):
        yield bytes(min(PART, count - at))


EMPTY: Final = Content(None, 0, 0)
