"""Logs that are followed through every way of rotating them: renamed, copied and truncated, begun
anew under a new inode, compressed.

Lines are given as they are written, an unfinished last one when it ends or its file is left. What
was rotated while nobody looked is found beside the log by its first bytes, and read to its end.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from martello.adapters.intake.mark import HEAD, Mark, head, head_of, merged

PIECE: Final = 4 << 20  # bytes that are given at once, where they hold a whole line
LONGEST: Final = (64 << 20) - 4096  # bytes of one line: a frame of the spool holds no more
_STILL: Final = 2.0  # seconds
_GONE: Final = 20  # polls without a log before it is let go
_MOST_ROTATED: Final = 200  # files beside a log that are looked at


class Piece(NamedTuple):
    """Whole lines, and the mark behind them."""

    body: bytes
    mark: Mark


class Lost(NamedTuple):
    """A part of a log that nobody has read: how many bytes (0: not known), and why."""

    path: str
    size: int
    why: str


Cut = Callable[[bytes], int]  # how much of whole lines may be given now


def whole_lines(data: bytes) -> int:
    """Up to the end of the last line."""
    return data.rfind(b"\n") + 1


def whole_records(data: bytes) -> int:
    """Up to the end of the last event of the Linux audit log, whose records belong together."""
    at = max(data.rfind(b"type=EOE "), data.rfind(b"type=PROCTITLE "))
    return data.find(b"\n", at) + 1 if at >= 0 else 0


class Tail:
    """One log. `marks`: how far it was read before; without one it begins at its end, or with
    `from_start` at its begin. `poll` again and again; `close` at the end.
    """

    def __init__(
        self,
        path: str,
        marks: Iterable[Mark] = (),
        *,
        from_start: bool = False,
        cut: Cut = whole_lines,
    ) -> None:
        self.path = os.path.abspath(path)
        self._before = [one for one in merged(marks).values() if one.path == self.path]
        self._from_start = from_start
        self._cut = cut
        self._file = -1
        self._mark = Mark(self.path)
        self._skipping = False  # within a line that is too long
        self._grew = (-1, 0.0)  # its size, and since when

    def poll(self) -> Iterator[Piece | Lost]:
        """What was written since. Raises OSError where the log may not be read."""
        if self._file < 0:
            yield from self._found()
        if self._file < 0:
            return
        yield from self._grown()
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return  # it was renamed, and the next one is not there yet
        if (there.st_dev, there.st_ino) != self._mark.key:
            yield from self._grown(last=True)
            left = self._mark
            self.close()
            self._open(0)
            yield from self._between(left)

    def close(self) -> None:
        """Lets go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # -- the file that is written

    def _found(self) -> Iterator[Piece | Lost]:
        """Opens the log, where it was left if it was read before."""
        try:
            self._open(0)
        except FileNotFoundError:
            self._from_start = True  # whatever it begins with was written after we looked
            return
        if not self._before:
            if not self._from_start:
                self._mark = self._mark._replace(offset=self._end())
            return
        known = next((one for one in self._before if one.key == self._mark.key), None)
        if known is not None and self._is(known) and self._end() >= known.offset:
            self._mark = self._mark._replace(offset=known.offset)
        else:
            yield from self._rest(self._before[-1])
        self._before = []

    def _open(self, offset: int) -> None:
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(self._file)
        self._skipping = False
        hashed, known = head_of(self._file)
        self._mark = Mark(self.path, status.st_dev, status.st_ino, hashed, known, offset)

    def _end(self) -> int:
        return os.fstat(self._file).st_size

    def _still(self) -> bool:
        """Whether nothing was written for a while: what waits for more has waited long enough."""
        end, now = self._end(), time.monotonic()
        if end != self._grew[0]:
            self._grew = (end, now)
        return now - self._grew[1] > _STILL

    def _is(self, mark: Mark) -> bool:
        return head_of(self._file, mark.known) == (mark.head, mark.known)

    def _grown(self, last: bool = False) -> Iterator[Piece | Lost]:
        """The lines behind the mark; `last`: nobody writes to it any more."""
        if self._end() < self._mark.offset or not self._is(self._mark):
            left = self._mark  # it was truncated; where it was copied before, the rest is there
            hashed, known = head_of(self._file)
            self._mark = left._replace(head=hashed, known=known, offset=0)
            self._skipping = False
            yield from self._rest(left, quietly=True)
        if self._mark.known < HEAD:
            hashed, known = head_of(self._file)
            self._mark = self._mark._replace(head=hashed, known=known)
        most = PIECE
        still = self._still()
        while self._mark.offset < self._end():
            data = os.pread(self._file, most, self._mark.offset)
            cut = whole_lines if last or still else self._cut
            size = cut(data) or (len(data) if last and len(data) < most else 0)
            if size == 0 and whole_lines(data) and len(data) == most:
                size = whole_lines(data)
            if size:
                most = PIECE
                yield from self._told(data[:size])
            elif len(data) < most:
                return  # it waits for its end
            elif most < LONGEST:
                most = min(most * 4, LONGEST)
            else:
                self._advance(len(data))
                self._skipping = True

    def _told(self, data: bytes) -> Iterator[Piece | Lost]:
        """Lines, but for the end of one that was too long."""
        self._advance(len(data))
        if self._skipping:
            self._skipping = False
            end = data.find(b"\n") + 1
            yield Lost(self.path, LONGEST + end, f"a line is longer than {LONGEST >> 20} MiB")
            data = data[end:]
        if data.strip():
            yield Piece(data, self._mark)

    def _advance(self, size: int) -> None:
        self._mark = self._mark._replace(offset=self._mark.offset + size)

    # -- those that were left

    def _rest(self, left: Mark, quietly: bool = False) -> Iterator[Piece | Lost]:
        """What a file that was rotated away held behind a mark, and whole files after it.
        `quietly`: where there is none, it was cut, and held nothing that was not read.
        """
        for path in self._beside():
            content = _Rotated(path)
            if not content.begins(left):
                continue
            yield from self._read(content, left)
            yield from self._between(left, path)
            return
        why = "the log was rotated away before it was read to its end"
        if quietly:
            why = "the log was truncated, and what was written just before is not known"
        yield Lost(self.path, 0, why)

    def _between(self, left: Mark, path: Path | None = None) -> Iterator[Piece | Lost]:
        """Whole files that were begun after one that was left, and rotated away since."""
        beside = self._beside()
        if path is None:
            path = next((one for one in beside if _Rotated(one).begins(left)), None)
        if path is None or path not in beside:
            return
        for one in beside[beside.index(path) + 1 :]:
            content = _Rotated(one)
            if content.key != self._mark.key and not content.begins(self._mark):
                yield from self._read(content, None)

    def _beside(self) -> list[Path]:
        """The rotated files of the log, the oldest first."""
        own = Path(self.path)
        found: list[tuple[float, Path]] = []
        with contextlib.suppress(OSError):
            for one in own.parent.iterdir():
                if one != own and one.name.startswith(own.stem) and one.is_file():
                    found.append((one.stat().st_mtime, one))
        return [path for _, path in sorted(found)[-_MOST_ROTATED:]]

    def _read(self, content: _Rotated, left: Mark | None) -> Iterator[Piece | Lost]:
        offset = left.offset if left is not None else 0
        told = left or Mark(self.path, *content.key, *content.head)
        held = b""
        try:
            for part in content.parts(offset):
                whole, newline, rest = part.rpartition(b"\n")
                if not newline:
                    held += part
                    if len(held) > LONGEST:
                        yield Lost(str(content.path), len(held), "a line is too long")
                        offset, held = offset + len(held), b""
                    continue
                body, held = held + whole + newline, rest
                offset += len(body)
                yield Piece(body, told._replace(offset=offset))
        except (OSError, zlib.error) as error:
            yield Lost(str(content.path), 0, f"it cannot be read: {error}")
        if held.strip():
            yield Piece(held, told._replace(offset=offset + len(held)))


class _Rotated:
    """A file beside a log, plain or compressed by gzip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed = path.suffix == ".gz"

    @property
    def key(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            status = self.path.stat()
            return status.st_dev, status.st_ino
        return 0, 0

    @property
    def head(self) -> tuple[str, int]:
        return head(self._first(HEAD))

    def begins(self, mark: Mark) -> bool:
        """Whether it is the file of a mark: an empty one is of none."""
        return bool(mark.known) and head(self._first(mark.known)) == (mark.head, mark.known)

    def _first(self, size: int) -> bytes:
        try:
            return next(self.parts(0), b"")[:size]
        except (OSError, zlib.error):
            return b""

    def parts(self, offset: int) -> Iterator[bytes]:
        """What it holds from an offset on, unpacked."""
        with open(self.path, "rb") as file:
            if not self.packed:
                file.seek(offset)
                while part := file.read(PIECE):
                    yield part
                return
            reader = zlib.decompressobj(31)
            while part := file.read(1 << 16):
                data = part
                while data:
                    plain = reader.decompress(data, PIECE)
                    data = reader.unconsumed_tail
                    skipped = min(offset, len(plain))
                    offset -= skipped
                    if plain[skipped:]:
                        yield plain[skipped:]
                    if reader.eof:
                        data, reader = reader.unused_data, zlib.decompressobj(31)


class Tails:
    """Every log below a directory: those that appear later are read from their begin."""

    def __init__(self, root: str, marks: Iterable[Mark] = (), *, from_start: bool = False) -> None:
        self.root = os.path.abspath(root)
        self._marks = list(marks)
        self._from_start = from_start
        self._tails: dict[str, Tail] = {}
        self._missing: dict[str, int] = {}
        self._begun = False

    def poll(self) -> Iterator[Piece | Lost]:
        """What was written since."""
        there = set(self._paths())
        for path in sorted(there - set(self._tails)):
            begin = self._from_start or self._begun
            self._tails[path] = Tail(path, self._marks, from_start=begin)
        for path, tail in list(self._tails.items()):
            with contextlib.suppress(PermissionError):
                yield from tail.poll()
            self._missing[path] = 0 if path in there else self._missing.get(path, 0) + 1
            if self._missing[path] > _GONE:
                tail.close()
                del self._tails[path], self._missing[path]
        self._begun = True

    def close(self) -> None:
        """Lets go of the files."""
        for tail in self._tails.values():
            tail.close()

    def _paths(self) -> Iterator[str]:
        for directory, _, names in os.walk(self.root):
            for name in names:
                if name.endswith(".log"):
                    yield os.path.join(directory, name)
