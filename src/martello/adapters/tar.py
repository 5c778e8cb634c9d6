"""Walks a tar archive from a stream, one pass, nothing unpacked: entries and their contents.

It reads what container runtimes read: V7, ustar, GNU and pax headers, sparse files of all formats.
What it cannot read raises TarTrouble; it never raises anything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from martello.adapters import tarheader as header
from martello.adapters.tarbody import EMPTY, Content, Source, SparseContent
from martello.adapters.tarheader import BLOCK, ZEROS, Parts, TarTrouble, TooMuch

__all__ = ["Entry", "Kind", "Limits", "TarTrouble", "TooMuch", "clean", "walk"]

Kind = Literal["file", "dir", "symlink", "hardlink", "device", "fifo", "other"]

_KINDS: Final[Mapping[int, Kind]] = {
    0: "file",
    ord("0"): "file",
    ord("7"): "file",
    ord("S"): "file",
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "device",
    ord("4"): "device",
    ord("5"): "dir",
    ord("6"): "fifo",
}
_EXTENSIONS: Final = frozenset(b"xgXLK")
_LONG: Final = ("GNU.path", "GNU.linkpath")  # of GNU headers, which win over those of pax
_OUTSIDE: Final = "its path leads out of the image"
_IGNORED: Final = "a global header changes it, which container runtimes ignore"


class Limits(msgspec.Struct, frozen=True):
    """What one archive may cost. Beyond any of these it raises TarTrouble; a path that is too long
    is an entry of kind `other`.
    """

    entries: int = 4_000_000
    seconds: float = 900.0
    path: int = 4096  # characters
    header: int = 1 << 20  # bytes of one extended header or long name
    chain: int = 32  # extended headers before one entry
    ratio: int = 200  # uncompressed to compressed, once more than `lenient` has come
    lenient: int = 8 << 30  # bytes, uncompressed
    size: int = 256 << 30  # bytes of one layer, uncompressed


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry. The path has no leading, trailing or doubled slash and no `.`; the root is empty.
    A symlink's target is as written, a hard link's is a cleaned path of the archive. `trouble`
    says what a scan must report; one whose path leads out of the image is of kind `other`.
    """

    path: str
    kind: Kind
    size: int = 0  # of the content; for a sparse file with its holes
    mode: int = 0
    link: str = ""
    trouble: str = ""


DEFAULT: Final = Limits()


def walk(
    read: Callable[[int], bytes],
    limits: Limits = DEFAULT,
    clock: Callable[[], float] = time.monotonic,
    jump: Callable[[int], int] | None = None,
) -> Iterator[tuple[Entry, Content]]:
    """The entries of an archive in their order. `read(n)` gives at most n bytes, none at the end;
    `jump(n)`, where there is one, passes over n bytes and says how many of them were missing.
    A content that was not read when the next entry is asked for is skipped without a copy; it
    cannot be read afterwards. What follows the end of the archive stays. Raises TarTrouble.
    """
    source = Source(read, clock, limits.seconds, jump)
    common: dict[str, str] = {}
    for _ in range(limits.entries):
        block, extra = _next_header(source, limits, common)
        if not block:
            return
        entry, body = _entry(source, block, extra, common, limits)
        yield entry, body
        if body is not EMPTY:
            body.leave()
    raise TooMuch(f"it has more than {limits.entries:,} entries")


def clean(path: str) -> str | None:
    """A path without `.`, doubled, leading or trailing slashes; None where it has `..`."""
    path = path.removeprefix("./")
    if path and "/." not in path and "//" not in path and path[0] not in "./" and path[-1] != "/":
        return path
    parts = [part for part in path.split("/") if part and part != "."]
    return None if ".." in parts else "/".join(parts)


def _next_header(
    source: Source, limits: Limits, common: dict[str, str]
) -> tuple[bytes, Mapping[str, str]]:
    """The header of the next entry, and what extended headers before it say of it; no header at
    the end.
    """
    extra: dict[str, str] = {}
    for _ in range(limits.chain + 1):
        block = source.take(BLOCK)
        if len(block) != BLOCK:
            if block:
                raise TarTrouble("it ends within a header")
            if extra:
                raise TarTrouble("it ends after an extended header")
            return b"", extra
        if not header.checked(block):
            if block != ZEROS:
                raise TarTrouble("a header has a wrong checksum")
            after = source.take(BLOCK)
            if after != ZEROS[: len(after)]:
                raise TarTrouble("entries follow the end of the archive")
            return b"", extra
        kind = block[156]
        if kind not in _EXTENSIONS:
            return block, extra
        data = _extension(source, block, limits)
        if kind == 0x67:  # g
            common.update(header.records(data))
            extra = {}  # to Go it is an entry: what came before it is spent
        elif kind == 0x4C:  # L
            extra["GNU.path"] = header.text(data)
        elif kind == 0x4B:  # K
            extra["GNU.linkpath"] = header.text(data)
        else:
            names = [(key, extra[key]) for key in _LONG if key in extra] if extra else []
            extra = header.records(data)
            extra.update(names)
    raise TarTrouble(f"more than {limits.chain} extended headers precede one entry")


def _extension(source: Source, block: bytes, limits: Limits) -> bytes:
    size = header.number(block[124:136])
    if not 0 <= size <= limits.header:
        raise TarTrouble(f"an extended header is larger than {limits.header >> 10} KiB")
    data = source.take(size + -size % BLOCK)
    if len(data) < size:
        raise TarTrouble("it ends within an extended header")
    return data[:size]


def _entry(
    source: Source,
    block: bytes,
    extra: Mapping[str, str],
    common: Mapping[str, str],
    limits: Limits,
) -> tuple[Entry, Content]:
    flag = block[156]
    stored = header.number(block[124:136])
    trouble = ""
    if extra or common:
        trouble = _IGNORED if _changed(extra, common) else ""
        if common:
            extra = {**common, **{key: value for key, value in extra.items() if value}}
        if "size" in extra:
            given = header.decimal(extra, "size")
            stored = stored if given is None else given
        path = extra.get("GNU.path") or extra.get("path") or header.name_of(block)
        if flag != 0x53 and _version(extra):
            path = extra.get("GNU.sparse.name") or path
        link = extra.get("GNU.linkpath") or extra.get("linkpath", "")
    else:
        path, link = header.name_of(block), ""
    if not link and block[157]:
        link = header.text(block[157:257])
    if stored < 0:
        raise TarTrouble("a header has a negative size")
    mode = header.mode_of(block[100:108])
    kind = _KINDS.get(flag, "other")
    if flag == 0 and path[-1:] == "/":
        kind = "dir"  # as V7 wrote directories
    content = EMPTY
    if kind == "file" or kind == "other":
        content = _content(source, block, extra, stored)
        if kind == "other":
            trouble = f"an entry of the unknown type {chr(flag)!r}"
    if kind == "hardlink":
        target = clean(link)
        if target is None:
            kind, trouble = "other", "it is a hard link that leads out of the image"
        link = target or ""
    name = clean(path)
    if name is None or (not name and kind != "dir"):
        kind, trouble = "other", _OUTSIDE if name is None else "it has no path"
        name = path
    if len(name) > limits.path or len(link) > limits.path:
        kind, trouble = "other", f"its path is longer than {limits.path:,} characters"
        name, link = name[: limits.path], link[: limits.path]
    return Entry(name, kind, content.size, mode, link, trouble), content


def _changed(extra: Mapping[str, str], common: Mapping[str, str]) -> bool:
    """Whether a global header says what and how large this entry is."""
    keys = ("path", "linkpath", "size", "GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.name")
    return bool(common) and any(common.get(key) and not extra.get(key) for key in keys)


def _content(source: Source, block: bytes, extra: Mapping[str, str], stored: int) -> Content:
    if block[156] == 0x53:  # S
        return _old_sparse(source, block, stored)
    version = _version(extra) if extra else ""
    if not version:
        return Content(source, stored, stored)
    size = header.decimal(extra, "GNU.sparse.size")
    size = header.decimal(extra, "GNU.sparse.realsize") if size is None else size
    if size is None:
        raise TarTrouble("a sparse file has no size")
    if version == "1.0":
        parts, used = _leading_parts(source, stored)
        return SparseContent(source, size, stored - used, header.sound(parts, size, stored - used))
    parts = header.listed_parts(extra.get("GNU.sparse.map", ""))
    return SparseContent(source, size, stored, header.sound(parts, size, stored))


def _version(extra: Mapping[str, str]) -> str:
    """The version of the map of a sparse file; none where there is no map that Go would heed."""
    given = f"{extra.get('GNU.sparse.major', '')}.{extra.get('GNU.sparse.minor', '')}"
    if given in ("0.0", "0.1", "1.0"):
        return given
    return "0.1" if given == "." and "GNU.sparse.map" in extra else ""


def _old_sparse(source: Source, block: bytes, stored: int) -> Content:
    size = header.number(block[483:495])
    parts = header.old_parts(block, first=True)
    more, found = block[482], [parts]
    while more:
        block = source.take(BLOCK)
        if len(block) < BLOCK or len(found) > 5000:
            raise TarTrouble("the map of a sparse file does not end")
        found.append(header.old_parts(block, first=False))
        more = block[504]
    parts = tuple(part for some in found for part in some)
    return SparseContent(source, size, stored, header.sound(parts, size, stored))


def _leading_parts(source: Source, stored: int) -> tuple[Parts, int]:
    """The map before the data of a sparse file of format 1.0, and the bytes that it takes."""
    lines: list[bytes] = []
    rest, used, wanted = b"", 0, 1
    while len(lines) < wanted:
        block = source.take(BLOCK)
        used += BLOCK
        if len(block) < BLOCK or used > stored or used > 8 << 20:
            raise TarTrouble("the map of a sparse file does not end")
        *whole, rest = (rest + block).split(b"\n")
        lines += whole
        if len(rest) > BLOCK:
            raise TarTrouble("the map of a sparse file is malformed")
        if lines and wanted == 1:
            if not (lines[0].isdigit() and len(lines[0]) < 7):
                raise TarTrouble("the map of a sparse file is malformed")
            wanted = 1 + 2 * int(lines[0])
    return header.listed_parts(b",".join(lines[1:wanted]).decode("ascii", "replace")), used
