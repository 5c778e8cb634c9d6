"""Rust programs built with cargo auditable: the crates that the build wrote into a section.

Source: the format of the rust-secure-code working group's cargo-auditable, `.dep-v0`: a zlib stream
of JSON.
"""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from martello.core.package import Unread
from martello.practices.images.evidence.executable import Executable, read_at
from martello.practices.images.evidence.model import NOTHING, Parsed, Reader
from martello.practices.images.evidence.text import decoded, proven

SECTION: Final = ".dep-v0"
READERS: tuple[Reader, ...] = ()  # programs are read once for all languages: see binaries

_PACKED: Final = 8 << 20
_LARGEST: Final = 32 << 20


class _Crate(msgspec.Struct, frozen=True):
    name: str
    version: str
    kind: str = "runtime"  # or build: ran while it was made, and is not in it


class _Crates(msgspec.Struct, frozen=True):
    packages: tuple[_Crate, ...]


def read_rust(path: str, program: Executable) -> Parsed:
    """The crates of a program; nothing where it names none."""
    section = program.sections.get(SECTION)
    if section is None:
        return NOTHING
    try:
        data = read_at(program.file, section.offset, min(section.size, _PACKED))
        crates = decoded(_inflated(data), _Crates).packages
        found = [
            proven("cargo", crate.name, crate.version) for crate in crates if crate.kind != "build"
        ]
    except ValueError as error:
        return Parsed(unread=(Unread("Rust program", path, f"its list of crates: {error}"),))
    return Parsed(tuple(dict.fromkeys(found)))


def _inflated(data: bytes) -> bytes:
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(data, _LARGEST)
    except zlib.error as error:
        raise ValueError("it is no zlib stream") from error
    if not engine.eof:
        full = len(text) == _LARGEST
        raise ValueError("it has more than 32 MiB" if full else "it is cut off")
    return text
