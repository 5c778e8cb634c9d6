"""One file for several readers: its bytes come once, and each reader gets them whole."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final

from martello.core.body import Body, TooLarge

_LARGEST: Final = 512 << 20  # bytes that are kept for further readers
_PART: Final = 1 << 20


@contextmanager
def shared(body: Body, readers: int) -> Iterator[Sequence[Body]]:
    """A body for each reader; the body itself where there is one reader only."""
    if readers == 1:
        yield (body,)
        return
    once = _Once(body)
    try:
        yield tuple(_Copy(once) for _ in range(readers))
    finally:
        once.close()


class _Once:
    """The bytes of a body, taken when the first reader asks."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._file: BinaryIO | None = None

    def file(self) -> BinaryIO:
        """All bytes, at their beginning. Raises TooLarge."""
        if self._file is None:
            self._file = self.body.spooled(_LARGEST)
        self._file.seek(0)
        return self._file

    def head(self, count: int) -> bytes:
        """The first bytes, without taking the others."""
        return self.body.head(count) if self._file is None else self.file().read(min(count, 4096))

    def close(self) -> None:
        """Lets go of a temporary file."""
        if self._file is not None:
            self._file.close()


class _Copy:
    """The same bytes again."""

    def __init__(self, once: _Once) -> None:
        self._once = once

    @property
    def size(self) -> int:
        return self._once.body.size

    def head(self, count: int) -> bytes:
        """The first bytes: at most 4,096."""
        return self._once.head(count)

    def whole(self, largest: int) -> bytes:
        """All bytes. Raises TooLarge."""
        self._bound(largest)
        return self._once.file().read()

    def spooled(self, largest: int) -> BinaryIO:
        """All bytes as a file of their own. Raises TooLarge."""
        self._bound(largest)
        source = self._once.file()
        if self.size <= _PART:
            return io.BytesIO(source.read())
        copy: BinaryIO = tempfile.TemporaryFile(prefix="martello-")  # noqa: SIM115  the caller's
        try:
            while part := source.read(_PART):
                copy.write(part)
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy

    def _bound(self, largest: int) -> None:
        if self.size > largest:
            raise TooLarge(f"{self.size:,} bytes, the limit is {largest:,}")
