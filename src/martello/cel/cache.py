"""Compiled programs as plain data: many in one file, loaded in milliseconds without parser and
checker.

Marshalled code from a directory that others may write to is code execution: `Directory` takes one
only when it belongs to the user alone.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from martello.cel.issues import BadInput
from martello.cel.libraries import register
from martello.cel.program import Program
from martello.cel.types import Library

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT: Final = b"martello-cel-1\n"
_DIGEST: Final = 32


def dump(programs: Iterable[Program]) -> bytes:
    """Programs as bytes that `load` reads in the same version of Python and of this package."""
    return marshal.dumps([program.packed for program in programs])


def load(data: bytes, libraries: Iterable[Library] = ()) -> list[Program]:
    """The programs of `dump`; `libraries` are those that the caller's environment was extended
    with.
    """
    extras: Mapping[str, Library] = {each.name: register(each) for each in libraries}
    return [Program(packed, extras) for packed in marshal.loads(data)]  # noqa: S302 - own data


def key(*parts: str) -> str:
    """A file name for what `parts` decide (environment, texts), this Python and this build of the
    package.
    """
    from hashlib import sha256

    digest = sha256(_FORMAT + f"{sys.implementation.cache_tag} {sys.hexversion}\n".encode())
    here = os.path.dirname(__file__)
    for directory, _, files in sorted(os.walk(here)):
        for name in sorted(files):
            if name.endswith(".py"):
                about = os.stat(os.path.join(directory, name))
                digest.update(f"{name}:{about.st_size}:{about.st_mtime_ns}\n".encode())
    for part in parts:
        digest.update(sha256(part.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


class Directory:
    """A directory of files that belongs to this user alone; anything else is a `BadInput`."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = os.lstat(path)
        except OSError as error:
            raise BadInput(f"{path} cannot hold a cache: {error.strerror}") from None
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise BadInput(f"{path} is no directory of this user")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise BadInput(f"{path} is open to others: chmod 700 {path}")

    def read(self, name: str) -> bytes | None:
        """What is kept under a `key`; None where there is nothing, or nothing whole of our own."""
        try:
            handle = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        about = os.fstat(handle)
        ours = about.st_uid == os.getuid() and not stat.S_IMODE(about.st_mode) & 0o022
        if not ours or not stat.S_ISREG(about.st_mode):
            os.close(handle)
            return None
        with open(handle, "rb") as file:
            data = file.read()
        from hashlib import sha256

        body = data[len(_FORMAT) + _DIGEST :]
        whole = data[: len(data) - len(body)] == _FORMAT + sha256(body).digest()
        return body if whole else None

    def write(self, name: str, data: bytes) -> None:
        """Keeps something under a `key`; a reader sees all of it or nothing. Raises OSError."""
        from hashlib import sha256

        draft = self.path / f".{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            with open(os.open(draft, flags, 0o600), "wb") as file:
                file.write(_FORMAT + sha256(data).digest() + data)
            os.replace(draft, self.path / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
