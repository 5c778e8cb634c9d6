"""Named files of an image that was saved: below a directory, or within one tar archive."""

from __future__ import annotations

import os
import stat
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import msgspec

from martello.adapters import tar
from martello.adapters.tar import TarTrouble
from martello.adapters.unpack import kind_of, unpacked
from martello.core.errors import BadInput, NotPermitted

PART: Final = 1 << 18
LARGEST_ARCHIVE: Final = 256 << 30  # bytes, uncompressed
_LINKS: Final = 8  # followed one after the other
_MEMBERS: Final = tar.Limits(entries=1_000_000)


class Files(Protocol):
    """Files by path, with `/` between its parts."""

    @property
    def where(self) -> str:
        """The directory or archive as a person would name it."""
        ...

    def size(self, path: str) -> int | None:
        """Bytes of a file, or None where there is none."""
        ...

    def parts(self, path: str, count: int | None = None) -> Iterator[bytes]:
        """The bytes of a file, at most `count` of them. Raises BadInput, NotPermitted."""
        ...


def whole(files: Files, path: str, largest: int) -> bytes:
    """A small file. Raises BadInput where it is larger or not there."""
    size = files.size(path)
    if size is not None and size > largest:
        why = f"{path} is larger than {largest >> 20} MiB"
        raise BadInput(f"cannot read {files.where}", why)
    return b"".join(files.parts(path, largest))


class DirectoryFiles:
    """Files below a directory. Symbolic links are followed, as build tools lay blobs out so: what
    they lead to is held to its digest.
    """

    def __init__(self, directory: Path, where: str) -> None:
        self.where = where
        self._directory = directory

    def size(self, path: str) -> int | None:
        """Of a regular file."""
        try:
            status = (self._directory / path).stat()
        except (OSError, ValueError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def parts(self, path: str, count: int | None = None) -> Iterator[bytes]:
        """From a regular file: nothing waits for a pipe."""
        try:
            descriptor = os.open(self._directory / path, os.O_RDONLY | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise failed(self.where, path, error) from None
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BadInput(f"cannot read {self.where}", f"{path} is no regular file")
            try:
                while count is None or count > 0:
                    part = file.read(PART if count is None else min(PART, count))
                    if not part:
                        return
                    count = None if count is None else count - len(part)
                    yield part
            except OSError as error:
                raise failed(self.where, path, error) from None


class _Member(msgspec.Struct, frozen=True, gc=False):
    offset: int = 0
    size: int = 0
    link: str | None = None


class TarFiles:
    """Files within an uncompressed tar archive that can be sought in. It keeps a descriptor of its
    own, which goes when it is closed or dropped.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self.where = where
        self._members = _listed(file, where)
        self._descriptor = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._descriptor)

    def size(self, path: str) -> int | None:
        """Of a file, or of the one that a link in the archive leads to."""
        member = self._found(path)
        return member.size if member else None

    def parts(self, path: str, count: int | None = None) -> Iterator[bytes]:
        """Each reader has its own place in the file: several may read at once."""
        member = self._found(path)
        if member is None:
            raise BadInput(f"cannot read {self.where}", f"it holds no {path[:200]}")
        at, left = member.offset, member.size if count is None else min(member.size, count)
        while left > 0:
            try:
                part = os.pread(self._descriptor, min(PART, left), at)
            except OSError as error:
                raise failed(self.where, path, error) from None
            if not part:
                raise BadInput(f"cannot read {self.where}", f"it ends within {path[:200]}")
            at += len(part)
            left -= len(part)
            yield part

    def _found(self, path: str) -> _Member | None:
        for _ in range(_LINKS):
            member = self._members.get(path)
            if member is None or member.link is None:
                return member
            path = member.link
        return None


def _listed(file: BinaryIO, where: str) -> dict[str, _Member]:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)

    def jump(count: int) -> int:
        return max(file.seek(count, os.SEEK_CUR) - size, 0)

    found: dict[str, _Member] = {}
    try:
        for entry, content in tar.walk(file.read, _MEMBERS, jump=jump):
            if entry.kind == "file":
                found[entry.path] = _Member(content.offset, entry.size)
            elif entry.kind == "symlink":
                found[entry.path] = _Member(link=_target(entry.path, entry.link))
            elif entry.kind == "hardlink":
                found[entry.path] = _Member(link=entry.link)
    except TarTrouble as error:
        raise BadInput(f"cannot read {where}", f"as an archive, {error}") from None
    except OSError as error:
        raise failed(where, "", error) from None
    return found


def _target(path: str, link: str) -> str:
    """Where a symbolic link leads within the archive; nowhere if it leads out of it."""
    parts = [] if link.startswith("/") else path.split("/")[:-1]
    for part in link.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def tar_files(path: Path, where: str) -> TarFiles:
    """The files of an archive by its path: read in place, or spooled where it is compressed or a
    pipe. Raises BadInput, NotPermitted.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if regular and not kind_of(os.pread(file.fileno(), 8, 0)):
                return TarFiles(file, where)
            return spooled(_read(file, where), where)
    except (OSError, ValueError) as error:
        raise failed(where, "", error) from None


def stream_files(stream: BinaryIO, where: str) -> TarFiles:
    """The files of an archive that comes in order and once, such as standard input."""
    return spooled(_read(stream, where), where)


def spooled(parts: Iterator[bytes], where: str, largest: int = LARGEST_ARCHIVE) -> TarFiles:
    """The files of an archive that comes in parts, kept in a temporary file without a name.
    Raises BadInput, and whatever the parts raise.
    """
    try:
        with tempfile.TemporaryFile(prefix="martello-") as file:
            size = 0
            for part in unpacked(parts)[1]:
                size += len(part)
                if size > largest:
                    raise BadInput(f"cannot read {where}", f"it has more than {largest:,} bytes")
                file.write(part)
            file.flush()
            return TarFiles(file, where)
    except TarTrouble as error:
        raise BadInput(f"cannot read {where}", str(error)) from None
    except OSError as error:
        what = f"cannot keep {where} in {tempfile.gettempdir()}"
        why = (error.strerror or type(error).__name__).lower()
        raise BadInput(what, why, "set TMPDIR to a directory with room for it") from None


def _read(stream: BinaryIO, where: str) -> Iterator[bytes]:
    while True:
        try:
            part = stream.read(PART)
        except (OSError, ValueError) as error:
            raise failed(where, "", error) from None
        if not part:
            return
        yield part


def failed(where: str, path: str, error: Exception) -> BadInput | NotPermitted:
    """The error of a file that cannot be read."""
    words = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    why = f"{path}: {words.lower()}" if path else words.lower()
    kind = NotPermitted if isinstance(error, PermissionError) else BadInput
    return kind(f"cannot read {where}", why)
