"""Evidence of installed language packages in tests: bytes or files by path, read by the reader that
wants them.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from martello.practices.images.evidence import (
    binaries,
    dotnet,
    erlang,
    java,
    node,
    php,
    python,
    rlang,
    ruby,
)
from martello.practices.images.evidence.model import Parsed, Reader, TooLarge

MODULES: tuple[ModuleType, ...] = (dotnet, erlang, java, node, php, python, rlang, ruby)
LANGUAGES: tuple[Reader, ...] = tuple(one for module in MODULES for one in module.READERS)


class Stored:
    """The content of a file, as bytes or on disk."""

    def __init__(self, content: bytes | Path) -> None:
        self._content = content

    @property
    def size(self) -> int:
        known = self._content
        return len(known) if isinstance(known, bytes) else known.stat().st_size

    def _open(self) -> BinaryIO:
        known = self._content
        return io.BytesIO(known) if isinstance(known, bytes) else known.open("rb")

    def head(self, count: int) -> bytes:
        with self._open() as file:
            return file.read(min(count, 4096))

    def whole(self, largest: int) -> bytes:
        with self.spooled(largest) as file:
            return file.read()

    def spooled(self, largest: int) -> BinaryIO:
        if self.size > largest:
            raise TooLarge
        return self._open()


def readers_of(path: str) -> list[Reader]:
    """The readers of languages that want a path."""
    name = path.rpartition("/")[2]
    return [
        one
        for one in LANGUAGES
        if (name in one.names or (one.suffixes and path.endswith(one.suffixes)))
        and (one.accepts is None or one.accepts(path))
    ]


def read(path: str, content: bytes | str | Path) -> Parsed:
    """What the reader of a path, or of programs, makes of a file. Raises what it raises."""
    (reader,) = readers_of(path) or binaries.READERS
    return reader.read(path, Stored(content.encode() if isinstance(content, str) else content))


def told(parsed: Parsed) -> list[str]:
    """Packages as `type name version`."""
    return [f"{one.type} {one.name} {one.version}" for one in parsed.packages]


def jar(files: Mapping[str, bytes | str], stored: bool = False) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


def elf(section: str, data: bytes, *, order: str = "<", wide: bool = True) -> bytes:
    """A program of one segment, written and loaded at 0x400000, and one section of its bytes. It
    is not run.
    """
    names = b"\0" + section.encode() + b"\0.shstrtab\0"
    top, start, segment = (64, 120, 56) if wide else (52, 84, 32)
    word = "Q" if wide else "I"
    sections_at = start + len(data) + len(names)
    size = 64 if wide else 40
    head = b"\x7fELF" + bytes((2 if wide else 1, 1 if order == "<" else 2, 1)) + bytes(9)
    head += struct.pack(f"{order}HHI3{word}I6H", 2, 62 if wide else 3, 1, 0x400000, top,
                        sections_at, 0, top, segment, 1, size, 3, 2)  # fmt: skip
    if wide:
        load = struct.pack(f"{order}IIQQQQQQ", 1, 6, start, 0x400000, 0x400000, len(data),
                           len(data), 16)  # fmt: skip
    else:
        load = struct.pack(f"{order}8I", 1, start, 0x400000, 0x400000, len(data), len(data), 6, 16)
    table = bytes(size)
    for name, kind, address, offset, length in (
        (1, 1, 0x400000, start, len(data)),
        (2 + len(section), 3, 0, start + len(data), len(names)),
    ):
        table += struct.pack(f"{order}II4{word}II2{word}", name, kind, 0, address, offset, length,
                             0, 0, 1, 0)  # fmt: skip
    return head + load + data + names + table


def portable(section: str, data: bytes) -> bytes:
    """A Windows program of one section."""
    head = b"MZ" + bytes(58) + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 112, 0x22)
    head += (struct.pack("<H", 0x20B) + bytes(22) + struct.pack("<Q", 0x140000000)).ljust(
        112, b"\0"
    )
    head += section.encode().ljust(8, b"\0")
    head += struct.pack("<4I12xI", len(data), 0x1000, len(data), 512, 0x40000040)
    return head.ljust(512, b"\0") + data


def macho(section: str, data: bytes) -> bytes:
    """A macOS program of one segment with one section."""
    start = 32 + 72 + 80
    head = b"\xcf\xfa\xed\xfe" + struct.pack("<7I", 0x100000C, 0, 2, 1, 152, 0, 0)
    head += struct.pack("<2I16s4Q4I", 0x19, 152, b"__DATA", 0x100000000, len(data), start,
                        len(data), 3, 3, 1, 0)  # fmt: skip
    head += struct.pack("<16s16sQQ8I", section.encode(), b"__DATA", 0x100000000, len(data), start,
                        4, 0, 0, 0, 0, 0, 0)  # fmt: skip
    return head + data
