"""Lines of files, standard input and files that grow, compressed or not, each of bounded length."""

from __future__ import annotations

import glob
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from martello.adapters.tarheader import TarTrouble
from martello.adapters.unpack import unpacked
from martello.core.errors import BadInput, NotPermitted

LONGEST: Final = 16 << 20  # bytes of a line; clouds write a whole blob into one
STDIN: Final = "-"
_PART: Final = 1 << 18
_PAUSE: Final = 0.2  # seconds between looks at a file that grows
_FREE: Final = 1 << 28  # unpacked bytes that no ratio is asked of
_LARGEST_RATIO: Final = 1000
Batch = list[bytes | None]


def named(paths: Sequence[str]) -> tuple[str, ...]:
    """The files of some paths and patterns (`hubble/*.jsonl`), in order, each once. Raises
    BadInput where one is not there.
    """
    found: dict[str, None] = {}
    for path in paths:
        if path == STDIN or os.path.exists(path):
            matches = [path]
        else:
            matches = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else []
        if not matches:
            raise BadInput(f"cannot read {shown(path)}", "there is no such file")
        for match in matches:
            if match != STDIN and os.path.isdir(match):
                next = f"name its files: '{shown(match)}/*'"
                raise BadInput(f"cannot read {shown(match)}", "it is a directory", next)
            found[match] = None
    if not found:
        raise BadInput("there are no flows to read", "no file is named", "name one, or - for stdin")
    return tuple(found)


def shown(text: str) -> str:
    """A path as it may be printed."""
    text = text if len(text) <= 300 else f"…{text[-300:]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def batches(path: str, stdin: BinaryIO | None, follow: bool) -> Iterator[Batch]:
    """The lines of one file, some at a time, without their ends; None stands for a line longer than
    LONGEST. With `follow` it ends never. Raises BadInput, NotPermitted.
    """
    name = shown(path)
    try:
        if path == STDIN:
            yield from _cut(_unpacked(_arriving(stdin or sys.stdin.buffer), name))
            return
        if follow:
            yield from _cut(_growing(path))
            return
        with open(path, "rb") as file:
            yield from _cut(_unpacked(_arriving(file), name))
    except PermissionError as error:
        raise NotPermitted(f"cannot read {name}", "you may not read it") from error
    except OSError as error:
        raise BadInput(f"cannot read {name}", error.strerror or "it cannot be read") from error
    except TarTrouble as error:
        raise BadInput(f"cannot read {name}", str(error)) from error


def _arriving(file: BinaryIO) -> Iterator[bytes]:
    """What is there, as it comes: a pipe is not waited on until a part is full."""
    read = getattr(file, "read1", file.read)
    while part := read(_PART):
        yield part


def _growing(path: str) -> Iterator[bytes]:
    """What is there, then what is written behind it, also where the file is rotated: cut, or moved
    away and made anew.
    """
    while True:
        with open(path, "rb") as file:
            while not _moved(path, file):
                while part := file.read(_PART):
                    yield part
                if os.fstat(file.fileno()).st_size < file.tell():
                    yield b"\n"  # what was begun there does not go on
                    file.seek(0)
                time.sleep(_PAUSE)
            while part := file.read(_PART):
                yield part
        yield b"\n"


def _moved(path: str, file: BinaryIO) -> bool:
    """Whether another file is there now."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False  # not yet
    own = os.fstat(file.fileno())
    return (now.st_dev, now.st_ino) != (own.st_dev, own.st_ino)


def _unpacked(parts: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The bytes within, where they are compressed. Refuses a bomb."""
    first = next(parts, b"")
    if first[:1] in (b"{", b"["):  # plain text goes on as it comes
        yield first
        yield from parts
        return
    packed = len(first)

    def counted() -> Iterator[bytes]:
        nonlocal packed
        yield first
        for part in parts:
            packed += len(part)
            yield part

    kind, within = unpacked(counted())
    size = 0
    for part in within:
        size += len(part)
        if kind and size > _FREE and size > _LARGEST_RATIO * packed:
            why = f"it unpacks to more than {_LARGEST_RATIO} times its size"
            raise BadInput(f"cannot read {name}", why)
        yield part


def _cut(parts: Iterator[bytes]) -> Iterator[Batch]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        if b"\n" not in part:
            size += len(part)
            held = [*held, part] if size <= LONGEST else []
            continue
        begun: Batch = list(part.split(b"\n"))
        first, rest = begun[0] or b"", begun.pop() or b""
        size += len(first)
        if begun:
            begun[0] = b"".join((*held, first)) if size <= LONGEST else None
        held, size = [rest], len(rest)
        yield begun
    if size:
        yield [b"".join(held) if size <= LONGEST else None]
