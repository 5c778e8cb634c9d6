"""How far a log was read (A2): which file it was, by device, inode and its first bytes, and where.

A mark is kept with the lines before it, in one write, so that no line is lost or told twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

HEAD: Final = 256  # bytes of a file that tell it from another one with its inode


class Mark(NamedTuple):
    """A place in a file: everything before `offset` was kept. `head` is the hash of its first
    `known` bytes.
    """

    path: str = ""
    device: int = 0
    inode: int = 0
    head: str = ""
    known: int = 0
    offset: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """Which file."""
        return self.device, self.inode


def written(mark: Mark) -> bytes:
    """A mark as it is kept with the lines before it."""
    return msgspec.json.encode(mark)


def mark_of(told: bytes) -> Mark:
    """A mark as it was kept; what is none is the begin of nothing."""
    try:
        return msgspec.json.decode(told, type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Mark()


def merged(marks: Iterable[Mark]) -> dict[tuple[int, int], Mark]:
    """The last mark of each file."""
    return {one.key: one for one in marks if one.path}


def all_written(marks: Iterable[Mark]) -> str:
    """Marks as the catalogue keeps them."""
    return msgspec.json.encode(list(marks)).decode()


def all_of(told: str) -> list[Mark]:
    """The marks that the catalogue kept."""
    try:
        return msgspec.json.decode(told, type=list[Mark]) if told else []
    except msgspec.DecodeError:
        return []


def head_of(file: int, most: int = HEAD) -> tuple[str, int]:
    """The hash of the first bytes of an open file, and how many these are."""
    return head(os.pread(file, most, 0))


def head(data: bytes) -> tuple[str, int]:
    """The same of bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest(), len(data)
