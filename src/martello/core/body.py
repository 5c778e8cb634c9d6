"""The content of one file, wherever it lies: in a layer, in an archive, in a directory."""

from __future__ import annotations

from typing import BinaryIO, Protocol


class TooLarge(Exception):
    """A file has more bytes than its reader takes: what it proves is unassessed."""


class Body(Protocol):
    """The content of one file of a layer or a tree, read at most once."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        ...

    def head(self, count: int) -> bytes:
        """The first bytes, without consuming them: at most 4,096."""
        ...

    def whole(self, largest: int) -> bytes:
        """All bytes. Raises TooLarge where there are more than `largest`."""
        ...

    def spooled(self, largest: int) -> BinaryIO:
        """All bytes as a seekable file: in memory where small, else a temporary file that is gone
        when closed. Raises TooLarge.
        """
        ...
