"""Alerts as lines of JSON in a file: on the disk before it says yes, and safe to rotate.

The file is opened by its name for every alert, so that one that was renamed is begun anew. A line
that a crash left unfinished is ended by the next.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from martello.adapters.sinks.text import encoded, form
from martello.core.alert import Alert
from martello.core.sink import NotSent


class File:
    """One file. Several writers may share it."""

    def __init__(self, name: str, path: Path, format: str = "martello") -> None:
        self.name = name
        self._path = path
        self._format = format

    def send(self, alert: Alert) -> None:
        """Appends a line."""
        try:
            self._append(encoded(form(self._format, alert)) + b"\n")
        except OSError as error:
            raise NotSent(f"cannot write: {error.strerror or error}") from None

    def check(self) -> None:
        """Opens it."""
        try:
            os.close(self._open())
        except OSError as error:
            raise NotSent(f"cannot write: {error.strerror or error}") from None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.open(self._path, flags)
        except FileNotFoundError:
            opened = os.open(self._path, flags | os.O_CREAT, 0o600)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return opened

    def _append(self, line: bytes) -> None:
        opened = self._open()
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            size = os.fstat(opened).st_size
            if size and os.pread(opened, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                written = 0
                while written < len(line):
                    written += os.write(opened, line[written:])
                _synced(opened)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(opened, size)
                raise
        finally:
            os.close(opened)


def _synced(opened: int) -> None:
    """On the disk; a pipe or a terminal has none."""
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
