"""One header of an rpm database: the tags of an installed package.

Source: rpm's documentation of the header format: two big-endian counts, an index of (tag, type,
offset, count), and the data that it points into.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from martello.core.package import Package
from martello.practices.images.evidence.model import Claim
from martello.practices.images.evidence.ownership import may_be_evidence
from martello.practices.images.evidence.text import word, words

_NAME: Final = 1000
_VERSION: Final = 1001
_RELEASE: Final = 1002
_EPOCH: Final = 1003
_VENDOR: Final = 1011
_LICENCE: Final = 1014
_ARCH: Final = 1022
_OLD_FILES: Final = 1027
_SOURCE: Final = 1044
_INDEXES: Final = 1116
_BASENAMES: Final = 1117
_FOLDERS: Final = 1118
_MODULE: Final = 5096
_WANTED: Final = frozenset(
    {_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _LICENCE, _ARCH, _OLD_FILES, _SOURCE}
    | {_INDEXES, _BASENAMES, _FOLDERS, _MODULE}
)
_INT32: Final = 4
_STRINGS: Final = frozenset((6, 8, 9))  # one, a list, a list in languages
_MOST_TAGS: Final = 1 << 16  # as rpm itself takes
_ENTRY: Final = struct.Struct(">IIII")

Tags = dict[int, tuple[bytes, ...] | tuple[int, ...]]


class Installed(msgspec.Struct, frozen=True):
    """A package, and which of its files may be evidence."""

    package: Package
    claim: Claim
    vendor: str


def read_header(data: bytes) -> Installed | None:
    """The package of a header; None for a public key, which rpm keeps as a package too. Raises
    ValueError where the header is damaged.
    """
    tags = _tags(data)
    name, version, release = (_text(tags, tag) for tag in (_NAME, _VERSION, _RELEASE))
    if not name or not version:
        raise ValueError("a header names no package or no version")
    if name == "gpg-pubkey":
        return None
    epoch = _number(tags, _EPOCH)
    number = f"{version}-{release}" if release else version
    source, source_version = split_source(_text(tags, _SOURCE))
    if epoch and source_version == number:
        source_version = f"{epoch}:{source_version}"  # the file's name has none, the source has it
    licence = _text(tags, _LICENCE)
    package = Package(
        type="rpm",
        name=name,
        version=f"{epoch}:{number}" if epoch else number,
        source=source,
        source_version=source_version,
        arch=_text(tags, _ARCH),
        module=":".join(_text(tags, _MODULE).split(":")[:2]),
        licences=words((licence,)) if licence else (),
    )
    return Installed(package, Claim(name, _files(tags)), _text(tags, _VENDOR))


def split_source(file: str) -> tuple[str, str]:
    """Name and version-release of a source package's file: `bash-5.1-2.el9.src.rpm`."""
    for end in (".src.rpm", ".nosrc.rpm"):
        if file.endswith(end):
            name, _, release = file.removesuffix(end).rpartition("-")
            name, _, version = name.rpartition("-")
            return (name, f"{version}-{release}") if name else ("", "")
    return "", ""


def _tags(data: bytes) -> Tags:
    if len(data) < 8:
        raise ValueError("a header is cut off")
    count, size = struct.unpack_from(">II", data)
    start = 8 + count * 16
    if count > _MOST_TAGS or start + size > len(data):
        raise ValueError("a header is cut off or damaged")
    found: Tags = {}
    for position in range(8, start, 16):
        tag, kind, offset, number = _ENTRY.unpack_from(data, position)
        if tag not in _WANTED or tag in found or offset >= size:
            continue
        at, end = start + offset, start + size
        if kind == _INT32:
            number = min(number, (end - at) // 4)
            found[tag] = struct.unpack_from(f">{number}I", data, at)
        elif kind in _STRINGS:
            found[tag] = _strings(data, at, end, 1 if kind == 6 else number)
    return found


def _strings(data: bytes, at: int, end: int, number: int) -> tuple[bytes, ...]:
    if number == 1:
        stop = data.find(b"\0", at, end)
        return (data[at : stop if stop >= 0 else end],)
    return tuple(data[at:end].split(b"\0", number)[:number])


def _text(tags: Tags, tag: int) -> str:
    values = tags.get(tag, ())
    first = values[0] if values else b""
    return word(first.decode("utf-8", "replace")) if isinstance(first, bytes) else ""


def _number(tags: Tags, tag: int) -> int:
    values = tags.get(tag, ())
    first = values[0] if values else 0
    return first if isinstance(first, int) else 0


def _files(tags: Tags) -> tuple[str, ...]:
    names, folders, indexes = (tags.get(tag, ()) for tag in (_BASENAMES, _FOLDERS, _INDEXES))
    if not names:
        paths = [_path(name) for name in tags.get(_OLD_FILES, ())]
        return tuple(path for path in paths if may_be_evidence(path))
    known = [_path(folder) for folder in folders]
    kept = []
    for name, index in zip(names, indexes, strict=False):
        if isinstance(index, int) and index < len(known) and isinstance(name, bytes):
            path = known[index] + name.decode("utf-8", "replace")
            if may_be_evidence(path):
                kept.append(path)
    return tuple(kept)


def _path(value: bytes | int) -> str:
    return value.decode("utf-8", "replace").lstrip("/") if isinstance(value, bytes) else ""
