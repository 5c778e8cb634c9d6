"""The intake log: what a receiver has acknowledged is on the disk until it is in the lake.

Each source has files of frames (`frames`). Positions count frames, and only ever grow: those of a
new log begin at the microseconds since 1970, so that one whose directory was lost does not begin
again. A file is named after its first. `append` returns after fsync (A3: one for all that arrive
within 5 ms or 1 MiB). A1: a torn tail is cut at the last good frame; damage before good frames is
told as a gap, never taken for a tail.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from martello.core.closing import Closing
from martello.core.errors import MartelloError, Unreachable
from martello.core.event import Gap
from martello.store.crc32c import crc32c
from martello.store.files import disk_error, sync_directory
from martello.store.frames import HEAD, LARGEST, MARK, Frame, Place, frame_head, frames, scan

LIMIT: Final = 4 << 30  # bytes of all frames
_GROUP_SECONDS: Final = 0.005
_GROUP_BYTES: Final = 1 << 20
_FILE: Final = 16 << 20  # bytes after which a new file is begun
_SUFFIX: Final = ".log"


def _micros() -> int:
    return time.time_ns() // 1000


class Full(MartelloError):
    """There is no room: the receiver must shed, and write down that it did."""

    exit_code = 3


class _Log:
    """The files of one source. Its methods are called under the spool's lock."""

    def __init__(self, directory: Path, source: str) -> None:
        self.directory = directory
        self.source = source
        self.gaps: list[Gap] = []
        self.files: list[tuple[int, Path]] = []  # first position, path
        self.next = 0
        self.size = 0  # bytes of all files
        self.written = 0  # bytes of the open file
        self.mark = b""  # of the open file
        self.index: list[Place] = []  # of the open file
        self.synced = 0  # frames before this position are on the disk
        self._file: int | None = None

    def recover(self, start: int = 0) -> None:
        """Finds the end, and cuts a torn tail. A log without files begins at `start`."""
        self.next = start
        self.files = [(_first(path), path) for path in sorted(self.directory.glob(f"*{_SUFFIX}"))]
        if self.files:
            self.next = 0
        for first, path in self.files:
            self.next = max(self.next, first)
            frames, gaps, end = scan(path)
            self.gaps += gaps
            self.index = frames
            if frames:
                self.next = frames[-1][0] + 1
            if path is self.files[-1][1] and end < path.stat().st_size:
                os.truncate(path, end)
                _sync(path)
            self.size += path.stat().st_size
        self.synced = self.next
        if self.files:
            self._open(self.files[-1][1])

    def write(self, body: bytes) -> int:
        """Appends a frame to the open file, not yet durable."""
        if self._file is None or self.written >= _FILE:
            self.rotate()
        assert self._file is not None
        head = frame_head(self.mark, self.next, body)
        try:
            for part in (head, body):
                view = memoryview(part)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self.written)
            raise
        self.index.append((self.next, self.written + len(head), len(body)))
        self.written += len(head) + len(body)
        self.size += len(head) + len(body)
        self.next += 1
        return self.next - 1

    def sync(self) -> int:
        """A handle to be synced without the lock."""
        assert self._file is not None
        return os.dup(self._file)

    def rotate(self) -> None:
        """Begins a file at the next position."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None
        path = self.directory / f"{self.next:020d}{_SUFFIX}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        sync_directory(self.directory)
        if not self.files or self.files[-1][1] != path:
            self.files.append((self.next, path))
        self._open(path)

    def free(self, position: int) -> None:
        """Deletes files whose frames are all before a position."""
        if self.written > MARK and position >= self.next:
            self.rotate()
        while len(self.files) > 1 and self.files[1][0] <= position:
            _, path = self.files.pop(0)
            self.size -= path.stat().st_size
            path.unlink()
            sync_directory(self.directory)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND)
        self.written = os.fstat(self._file).st_size
        self.mark = os.pread(self._file, MARK, 0)
        if self.written <= MARK:
            self.index = []
        if not self.written:
            self.mark = os.urandom(MARK)
            self.written = os.write(self._file, self.mark)
            self.size += self.written


class Spool(Closing):
    """A directory of logs, for one process at a time; any of its threads may append."""

    def __init__(
        self, directory: Path, limit: int = LIMIT, start: Callable[[], int] = _micros
    ) -> None:
        self.directory = directory
        self.limit = limit
        self._start = start
        self._lock = threading.Condition()
        self._logs: dict[str, _Log] = {}
        self._syncing: set[str] = set()
        self._pending = 0
        self._broken = ""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise disk_error(f"cannot open the spool {directory}", error) from error
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._held)
            why = "another process receives into it"
            raise Unreachable(f"cannot open the spool {directory}", why, "end that one") from None
        crc32c(bytes(1 << 18))  # makes its tables before anybody waits for them
        for log in _logs(directory):
            log.recover(start())
            self._logs[log.source] = log

    def close(self) -> None:
        """Lets go of the files and of the directory."""
        with self._lock:
            for log in self._logs.values():
                log.close()
            self._logs.clear()
            if self._held >= 0:
                os.close(self._held)
                self._held = -1

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(log.size for log in self._logs.values())

    def append(self, source: str, body: bytes) -> int:
        """Keeps a body, and returns its position once it is on the disk. Raises Full where there is
        no room for it, MartelloError where the disk failed: then it was not kept.
        """
        if len(body) > LARGEST:
            raise Full("a body is too large for the spool", f"{len(body):,} bytes")
        with self._lock:
            if self._broken:
                raise MartelloError(self._broken, "a write to the disk failed", "restart")
            room = self.limit - self.size - HEAD - len(body)
            if room < 0:
                what = f"the spool {self.directory} is full"
                raise Full(what, f"it may hold {self.limit:,} bytes")
            log = self._log(source)
            try:
                position = log.write(body)
            except OSError as error:
                told = disk_error(f"cannot write to {log.directory}", error, len(body))
                raise Full(told.what, told.why, told.next) from error
            self._pending += len(body)
            if self._pending >= _GROUP_BYTES:
                self._lock.notify_all()
            self._settle(log, position)
            return position

    def _settle(self, log: _Log, position: int) -> None:
        """Waits until a frame is on the disk. Whoever comes first syncs for all who came since."""
        while log.synced <= position:
            if self._broken:
                raise MartelloError(self._broken, "a write to the disk failed", "restart")
            if log.source in self._syncing:
                self._lock.wait()
                continue
            self._syncing.add(log.source)
            try:
                self._gather(log)
            finally:
                self._syncing.discard(log.source)
                self._lock.notify_all()

    def _gather(self, log: _Log) -> None:
        ends = time.monotonic() + _GROUP_SECONDS
        while self._pending < _GROUP_BYTES and (left := ends - time.monotonic()) > 0:
            self._lock.wait(left)
        self._pending, upto, handle = 0, log.next, log.sync()
        self._lock.release()
        try:
            os.fdatasync(handle)
        except OSError as error:
            # what the kernel has dropped after a failed sync, a second one would call written
            self._broken = f"cannot keep what arrives: {error.strerror}"
        finally:
            os.close(handle)
            self._lock.acquire()
        if not self._broken:
            log.synced = max(log.synced, upto)

    def read(self, source: str, first: int, most: int = 32 << 20) -> list[Frame]:
        """Durable frames of a source from a position on: at least one, then up to `most` bytes."""
        with self._lock:
            log = self._logs.get(source)
            if log is None or first >= log.synced:
                return []
            files, end = list(log.files), log.synced
            newest = log.index[bisect_left(log.index, (first, 0, 0)) :]
        found: list[Frame] = []
        taken = 0
        for i, (_, path) in enumerate(files):
            if i + 1 < len(files) and files[i + 1][0] <= first:
                continue
            # the newest file is known by heart; others were closed, and are checked again
            places = newest if i + 1 == len(files) else None
            for frame in frames(path, places):
                if frame.position >= end or (found and taken + len(frame.body) > most):
                    return found
                if frame.position >= first:
                    found.append(frame)
                    taken += len(frame.body)
        return found

    def begin(self, source: str, position: int) -> None:
        """Positions of a source are never below this one, whatever the clock said."""
        with self._lock:
            log = self._log(source)
            if log.next < position:
                log.next = log.synced = position
                log.rotate()

    def end(self, source: str) -> int:
        """The position that the next frame of a source will have."""
        with self._lock:
            log = self._logs.get(source)
            return 0 if log is None else log.synced

    def free(self, source: str, position: int) -> None:
        """Forgets frames before a position: they are in the lake."""
        with self._lock:
            log = self._logs.get(source)
            if log is None:
                return
            while source in self._syncing:
                self._lock.wait()
            try:
                log.free(position)
            except OSError as error:
                raise disk_error(f"cannot free {log.directory}", error) from error

    def sources(self) -> tuple[str, ...]:
        """Whoever has ever sent something."""
        with self._lock:
            return tuple(sorted(self._logs))

    def gaps(self) -> tuple[Gap, ...]:
        """What was found damaged when the spool was opened."""
        with self._lock:
            return tuple(gap for log in self._logs.values() for gap in log.gaps)

    def _log(self, source: str) -> _Log:
        log = self._logs.get(source)
        if log is None:
            directory = self.directory / hashlib.sha256(source.encode()).hexdigest()[:24]
            log = _Log(directory, source)
            try:
                directory.mkdir(mode=0o700, exist_ok=True)
                _name(directory, source)
                sync_directory(directory)
                sync_directory(self.directory)
            except OSError as error:
                told = disk_error(f"cannot write to {directory}", error)
                raise Full(told.what, told.why, told.next) from error
            log.recover(self._start())
            self._logs[source] = log
        return log


def _logs(directory: Path) -> Iterator[_Log]:
    for place in sorted(directory.iterdir()):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield _Log(place, (place / "source").read_text(encoding="utf-8"))


def _name(directory: Path, source: str) -> None:
    path = directory / "source"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(source.encode())
        file.flush()
        os.fsync(file.fileno())


def _first(path: Path) -> int:
    word = path.name.removesuffix(_SUFFIX)
    return int(word) if word.isdecimal() else 0


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
