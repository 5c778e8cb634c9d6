"""Walks a directory as a layer is walked: entries and contents, in one pass, never outside it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from martello.adapters.files import failed
from martello.adapters.tar import DEFAULT, Entry, Kind, Limits, TooMuch
from martello.adapters.tarbody import EMPTY
from martello.core.body import Body, TooLarge
from martello.core.errors import BadInput

_DEEPEST: Final = 200  # directories within directories: each is held open while it is walked
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_HEAD: Final = 4096
# What a kernel shows there is no part of a file system that was installed.
_SHOWN: Final = frozenset(("proc", "sys", "dev"))


class TreeTrouble(ValueError):
    """A file that cannot be read, with the reason. The walk goes on."""


class FileContent:
    """The content of a file of a tree: opened when first asked for, gone at the next entry."""

    __slots__ = ("_directory", "_file", "_name", "size")

    def __init__(self, directory: int, name: str, size: int) -> None:
        self._directory = directory
        self._name = name
        self._file: BinaryIO | None = None
        self.size = size

    def head(self, count: int) -> bytes:
        """The first bytes, which stay: at most 4,096. Raises TreeTrouble."""
        file = self._open()
        try:
            return os.pread(file.fileno(), min(count, _HEAD), 0)
        except OSError as error:
            raise _trouble(error) from None

    def whole(self, largest: int) -> bytes:
        """All bytes. Raises TooLarge, TreeTrouble."""
        self._bound(self.size, largest)
        try:
            content = self._open().read(largest + 1)
        except OSError as error:
            raise _trouble(error) from None
        self._bound(len(content), largest)
        return content

    def spooled(self, largest: int) -> BinaryIO:
        """The file itself. Raises TooLarge, TreeTrouble."""
        self._bound(self.size, largest)
        file, self._file = self._open(), None
        return file

    def leave(self) -> None:
        """Lets go of the file; nothing is read after that."""
        file, self._file = self._file, None
        self._directory = -1
        if file is not None:
            file.close()

    def _bound(self, size: int, largest: int) -> None:
        if size > largest:
            raise TooLarge(f"{size:,} bytes, the limit is {largest:,}")

    def _open(self) -> BinaryIO:
        if self._file is not None:
            return self._file
        if self._directory < 0:
            raise TreeTrouble("it was passed over already")
        try:
            descriptor = os.open(self._name, _FILE, dir_fd=self._directory)
        except OSError as error:
            raise _trouble(error) from None
        file = open(descriptor, "rb")  # noqa: SIM115  closed by leave, or by who took it over
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise TreeTrouble("it is no regular file any more")
        self._file = file
        return file


class _Open:
    """A directory that is being walked."""

    __slots__ = ("descriptor", "names", "path")

    def __init__(self, descriptor: int, path: str) -> None:
        self.descriptor = descriptor
        self.path = path
        with os.scandir(descriptor) as listing:
            self.names = iter(sorted(entry.name for entry in listing))


def walk_tree(
    root: Path,
    limits: Limits = DEFAULT,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[Entry, Body]]:
    """The entries below a directory, in the order of their names, a directory before what it
    holds. Symbolic links are entries and never followed; pipes, sockets and devices are entries and
    never opened; a directory that is reached twice, through a mount, is walked once; what the
    kernel mounts at proc, sys and dev is not walked. A directory that cannot be read is an entry
    with a `trouble`. Raises BadInput and NotPermitted for the root itself, TooMuch.
    """
    until = clock() + limits.seconds
    stack: list[_Open] = []
    try:
        stack.append(_root(root))
        status = os.fstat(stack[0].descriptor)
        seen = {(status.st_dev, status.st_ino)}
        device, count = status.st_dev, 0
        while stack:
            top = stack[-1]
            name = next(top.names, None)
            if name is None:
                os.close(stack.pop().descriptor)
                continue
            count += 1
            if count > limits.entries:
                raise TooMuch(f"it has more than {limits.entries:,} entries")
            if clock() > until:
                raise TooMuch("reading it takes longer than the limit")
            entry, found = _entry(top, name, limits)
            if entry.kind == "file":
                content = FileContent(top.descriptor, name, entry.size)
                try:
                    yield entry, content
                finally:
                    content.leave()
                continue
            if entry.kind != "dir" or found is None:
                yield entry, EMPTY
                continue
            identity = (found.st_dev, found.st_ino)
            shown = len(stack) == 1 and name in _SHOWN and found.st_dev != device
            if shown or identity in seen:
                yield entry, EMPTY
                continue
            seen.add(identity)
            below = _below(top, name, entry.path, len(stack))
            if isinstance(below, _Open):
                stack.append(below)
                yield entry, EMPTY
            else:
                yield Entry(entry.path, "dir", 0, entry.mode, "", below), EMPTY
    finally:
        for opened in stack:
            os.close(opened.descriptor)


def _root(root: Path) -> _Open:
    where = f"the directory {root}"
    try:
        # A root that the user names by a symbolic link is followed: nothing below it is.
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
    except NotADirectoryError:
        raise BadInput(f"cannot read {where}", "it is no directory") from None
    except (OSError, ValueError) as error:
        raise failed(where, "", error) from None
    try:
        return _Open(descriptor, "")
    except OSError as error:
        os.close(descriptor)
        raise failed(where, "", error) from None


def _below(top: _Open, name: str, path: str, depth: int) -> _Open | str:
    """The directory, opened; or why it cannot be read."""
    if depth >= _DEEPEST:
        return f"it lies more than {_DEEPEST} directories deep"
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=top.descriptor)
    except OSError as error:
        return str(_trouble(error))
    try:
        return _Open(descriptor, path)
    except OSError as error:
        os.close(descriptor)
        return str(_trouble(error))


def _entry(top: _Open, name: str, limits: Limits) -> tuple[Entry, os.stat_result | None]:
    """An entry, and its status where there is one. Names that are no UTF-8 are written as `\\xNN`,
    as in archives.
    """
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    path = f"{top.path}/{shown}" if top.path else shown
    if len(path) > limits.path:
        why = f"its path is longer than {limits.path:,} characters"
        return Entry(path[: limits.path], "other", trouble=why), None
    try:
        status = os.stat(name, dir_fd=top.descriptor, follow_symlinks=False)
        kind = _kind(status.st_mode)
        link = ""
        if kind == "symlink":
            target = os.readlink(name, dir_fd=top.descriptor)
            link = os.fsencode(target).decode("utf-8", "backslashreplace")
    except FileNotFoundError:
        return Entry(path, "other", trouble="it vanished while it was read"), None
    except OSError as error:
        return Entry(path, "other", trouble=str(_trouble(error))), None
    size = status.st_size if kind == "file" else 0
    return Entry(path, kind, size, stat.S_IMODE(status.st_mode), link), status


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    if stat.S_ISLNK(mode):
        return "symlink"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "device"
    return "fifo" if stat.S_ISFIFO(mode) else "other"


def _trouble(error: OSError) -> TreeTrouble:
    return TreeTrouble(f"cannot be read: {(error.strerror or type(error).__name__).lower()}")
