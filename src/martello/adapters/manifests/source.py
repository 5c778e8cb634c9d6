"""The bytes of one file as UTF-8 text, bounded, whatever kind of file it is."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, Final

from martello.adapters.manifests.limits import Limits, Unreadable

_UTF8: Final = b"\xef\xbb\xbf"
_UTF16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF32: Final = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")

# Device and inode: what is reached twice, by a link or by two arguments, is read once.
Identity = tuple[int, int]


def read_file(path: str, limits: Limits, *, named: bool) -> tuple[bytes, Identity]:
    """The text of a file. A pipe is read only where the user named it; nothing waits for one.

    Raises Unreadable with the reason where there is no text within the limits.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be read: {_words(error)}") from error
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            if not (named and stat.S_ISFIFO(status.st_mode)):
                raise Unreadable("not a regular file")
            os.set_blocking(descriptor, True)
        if status.st_size > limits.size:
            raise Unreadable(_too_large(limits))
        return decoded(bounded(file, limits)), (status.st_dev, status.st_ino)


def bounded(file: BinaryIO, limits: Limits) -> bytes:
    """Everything that a stream gives. Raises Unreadable where that is more than the limit."""
    parts: list[bytes] = []
    left = limits.size + 1
    try:
        while left > 0:
            part = file.read(min(left, 1 << 20))
            if not part:
                break
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise Unreadable(f"cannot be read: {_words(error)}") from error
    if left <= 0:
        raise Unreadable(_too_large(limits))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def decoded(data: bytes) -> bytes:
    """The data as UTF-8 without byte order mark.

    UTF-16 is read where a mark says so, as YAML requires of every reader and as go-yaml does inside
    the API server. Raises Unreadable for other encodings and for binary data.
    """
    if data[:4] in _UTF32:
        raise Unreadable("encoded in UTF-32, which the API server does not read: use UTF-8")
    encoding = _UTF16.get(data[:2])
    if encoding is not None:
        try:
            data = data[2:].decode(encoding).encode()
        except UnicodeError as error:
            raise Unreadable("not valid UTF-16, though it has its byte order mark") from error
    elif data.startswith(_UTF8):
        data = data[3:]
    if b"\0" in data:
        raise Unreadable("a binary file, not UTF-8 text")
    return data


def _too_large(limits: Limits) -> str:
    mebibytes = limits.size / (1 << 20)
    size = f"{mebibytes:g} MiB" if mebibytes >= 0.01 else f"{limits.size} bytes"
    return f"larger than {size}, the limit for one file"


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else str(error)
    return (text or type(error).__name__).lower()
