"""Where the files of the lake lie: a directory now, an object store behind the same five calls.

A4: a local file appears whole or not at all: temporary name, fsync, rename, fsync of the directory.
An object store would write the final name at once: only the catalogue makes a file visible.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from martello.core.errors import BadInput, MartelloError, Unreachable

_ASIDE: Final = ".part"
_PATH: Final = re.compile(r"[A-Za-z0-9_=.-]+(?:/[A-Za-z0-9_=.-]+)*")


class Files(Protocol):
    """A place for files that are written once. Paths are relative, with slashes."""

    @property
    def where(self) -> str:
        """Its URL, without credentials."""
        ...

    def put(self, path: str, content: bytes | memoryview) -> None:
        """Writes a file, durably. Raises MartelloError: full, read-only, unreachable."""
        ...

    def get(self, path: str) -> bytes:
        """Reads a file whole. Raises Unreachable where it is not there."""
        ...

    def size(self, path: str) -> int:
        """Its size in bytes; -1: it is not there."""
        ...

    def delete(self, path: str) -> bool:
        """Removes a file, and tells whether it was there."""
        ...

    def under(self, directory: str) -> Iterator[tuple[str, int, float]]:
        """Every file below: path, size, seconds since 1970 when it was written."""
        ...

    def local(self, path: str) -> str:
        """A name that engines in this process can open."""
        ...


class LocalFiles:
    """Files in a directory, for their owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def where(self) -> str:
        """As `file:///…`."""
        return self.root.as_uri()

    def put(self, path: str, content: bytes | memoryview) -> None:
        """Writes a file, durably. Raises MartelloError."""
        target = self._path(path)
        aside = target.with_name(f".{target.name}.{os.urandom(6).hex()}{_ASIDE}")
        try:
            made = _make(target.parent)
            _write(aside, content)
            os.replace(aside, target)
            for directory in made:
                sync_directory(directory)
        except OSError as error:
            raise disk_error(f"cannot write {target}", error, len(content)) from error
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()

    def get(self, path: str) -> bytes:
        """Reads a file whole. Raises Unreachable."""
        try:
            return self._path(path).read_bytes()
        except OSError as error:
            why = error.strerror or type(error).__name__
            what = f"cannot read {self._path(path)}"
            raise Unreachable(what, why, "martello store verify") from error

    def size(self, path: str) -> int:
        """Its size in bytes; -1: it is not there."""
        try:
            return self._path(path).stat().st_size
        except OSError:
            return -1

    def delete(self, path: str) -> bool:
        """Removes a file, and tells whether it was there."""
        target = self._path(path)
        try:
            target.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_error(f"cannot delete {target}", error) from error
        sync_directory(target.parent)
        return True

    def under(self, directory: str) -> Iterator[tuple[str, int, float]]:
        """Every file below, what was left half written too."""
        for place, directories, names in os.walk(self._path(directory)):
            directories.sort()
            for name in sorted(names):
                file = Path(place) / name
                with contextlib.suppress(FileNotFoundError):
                    told = file.stat()
                    yield file.relative_to(self.root).as_posix(), told.st_size, told.st_mtime

    def local(self, path: str) -> str:
        """Its absolute path."""
        return str(self._path(path))

    def _path(self, path: str) -> Path:
        if not _PATH.fullmatch(path) or ".." in path.split("/"):
            raise BadInput(f"no path of the lake: {path}")
        return self.root / path


def open_files(url: str) -> Files:
    """The files of a URL: `file:///DIRECTORY`. Raises BadInput."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        why = "this version keeps the lake in a directory; object stores are not read yet"
        raise BadInput("cannot open the lake", why, "--lake file:///DIRECTORY")
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise BadInput("cannot open the lake", "it is no URL", "--lake file:///DIRECTORY")
    return LocalFiles(Path(unquote(parts.path)))


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory survive a power cut."""
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def disk_error(what: str, error: OSError, need: int = 0) -> MartelloError:
    """What the operating system says, with what to do."""
    import errno

    why = error.strerror or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MartelloError(what, "the disk is full", f"free some space: it needs {need:,} bytes")
    return Unreachable(what, why, "check the directory and its rights")


def _make(directory: Path) -> list[Path]:
    """The directory and those above it; returns the ones that have a new name in them."""
    changed = [directory]
    while not directory.is_dir():
        directory = directory.parent
        changed.append(directory)
    for one in changed[-2::-1]:
        one.mkdir(mode=0o700, exist_ok=True)  # `parents` would leave them open to others
    return changed


def _write(path: Path, content: bytes | memoryview) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
