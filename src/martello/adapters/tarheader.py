"""The fields of tar headers: numbers, checksums, names, extended records, maps of sparse files.

Sources: POSIX.1-2017 pax, the GNU tar manual ("Basic Tar Format", "Storing Sparse Files"), and,
where those leave a choice, what container runtimes do: Go's archive/tar.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from zlib import adler32

BLOCK: Final = 512
ZEROS: Final = bytes(BLOCK)
_LARGEST: Final = (1 << 63) - 1
_ENDS: Final = b"\0 "
_MOST_PARTS: Final = 100_000  # of one sparse file

Parts = tuple[tuple[int, int], ...]  # (offset, length) of the data within a sparse file


class TarTrouble(Exception):
    """An archive that cannot be read on: malformed, cut, or beyond a limit. Says why."""


class TooMuch(TarTrouble):
    """An archive that costs more than its reader gives: nothing is known of the rest of it."""


def number(field: bytes) -> int:
    """An octal or base-256 number. Raises TarTrouble."""
    digits = field[:-1]
    if field[-1] in _ENDS and digits.isdigit() and b"8" not in digits and b"9" not in digits:
        return int(digits, 8)  # as nearly all are written
    digits = field.strip(b" \0")
    if digits.isdigit() and b"8" not in digits and b"9" not in digits:
        return int(digits, 8)
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True)
        if field[0] != 0xFF:  # 0x80 marks a positive number; 0xff a negative one
            value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if not -_LARGEST <= value <= _LARGEST:
            raise TarTrouble("a header holds a number beyond 63 bits")
        return value
    digits = digits.partition(b"\0")[0].rstrip()
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else _no_number()
    except ValueError:
        return _no_number()


@lru_cache(maxsize=512)
def mode_of(field: bytes) -> int:
    """The permissions in a header; none where they are no number, as nothing hangs on them."""
    try:
        return number(field) & 0o7777
    except TarTrouble:
        return 0


def _no_number() -> int:
    raise TarTrouble("a header holds something other than a number")


def checked(block: bytes) -> bool:
    """Whether the checksum of a header holds, by unsigned or, as old Sun tars had it, by signed
    bytes.
    """
    # The low half of Adler-32 is one more than the sum of all bytes, modulo 65,521. The sum itself
    # counts as eight blanks.
    low = (adler32(block) & 0xFFFF) - (adler32(block[148:156]) & 0xFFFF) + 256
    try:
        if int(block[148:154], 8) == low > 0:  # as nearly all are written: six digits, NUL, blank
            return True
    except ValueError:
        pass
    try:
        promised = number(block[148:156])
    except TarTrouble:
        return False
    if (low - promised) % 65521 == 0 and 256 <= promised <= BLOCK * 255:
        return True
    rest = block[:148] + block[156:]  # both halves, without the sum itself
    return promised == 256 + sum(byte - 256 if byte > 127 else byte for byte in rest)


def text(field: bytes) -> str:
    """A name up to its first NUL. Bytes that are no UTF-8 are written as `\\xNN`."""
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def name_of(block: bytes) -> str:
    """The name in a header, with its prefix where the format has one. All of it as Go does: what we
    read under one path must not lie under another in a container.
    """
    name = text(block[:100])
    if not block[345] or block[257:262] != b"ustar":
        return name
    prefix = b""
    if block[262] == 0:
        prefix = block[345:476] if block[508:512] == b"tar\0" else block[345:500]
    elif block[262:265] == b"  \0" and not (_time(block[345:357]) and _time(block[357:369])):
        # GNU headers keep times there; Go once wrote prefixes into them all the same.
        prefix = block[345:500].partition(b"\0")[0]
        prefix = prefix if prefix.isascii() else b""
    return f"{text(prefix)}/{name}" if prefix else name


def _time(field: bytes) -> bool:
    """Whether a field holds a time, or nothing: octal digits to its end, or a binary number."""
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not field[0] or not digits or not digits.strip(b"01234567"):
        return True
    try:
        return field[0] > 0x7F and number(field) is not None
    except TarTrouble:
        return False


def records(data: bytes) -> dict[str, str]:
    """The records of a pax extended header; none where it says nothing of paths and sizes. The
    parts of a sparse file of format 0.0, which are repeated records, come out as one
    `GNU.sparse.map`. Raises TarTrouble.
    """
    found: dict[str, str] = {}
    if b"path=" not in data and b"size=" not in data and b"GNU." not in data:
        return found  # times, owners and attributes: most headers have no more
    sparse: list[str] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        digits = data[at:space] if space > at else b""
        end = at + int(digits) if digits.isdigit() else 0
        if not at < space < end <= len(data) or data[end - 1] != 0x0A:
            if not data[at:].strip(b"\0"):
                break  # some writers fill up with NULs
            raise TarTrouble("an extended header is malformed")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise TarTrouble("an extended header is malformed")
        name = key.decode("utf-8", "backslashreplace")
        if name in ("path", "linkpath", "GNU.sparse.name") and b"\0" in value:
            raise TarTrouble("an extended header has a NUL in a path")
        if name in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
            sparse.append(value.decode("ascii", "replace"))
        elif value:
            found[name] = value.decode("utf-8", "backslashreplace")
        else:
            found.pop(name, None)  # what is empty says nothing
        at = end
    if any(sparse):
        found["GNU.sparse.map"] = ",".join(sparse)
    return found


def decimal(values: Mapping[str, str], key: str) -> int | None:
    """A number of an extended header, or None where it has none. Raises TarTrouble."""
    value = values.get(key, "")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _LARGEST):
        raise TarTrouble(f"an extended header has a {key[:40]} that is no number")
    return int(value)


def old_parts(block: bytes, *, first: bool) -> Parts:
    """The parts that a GNU header of type S, or a block that continues it, lists."""
    start, count = (386, 4) if first else (0, 21)
    found = []
    for at in range(start, start + count * 24, 24):
        if not block[at]:
            break
        found.append((number(block[at : at + 12]), number(block[at + 12 : at + 24])))
    return tuple(found)


def listed_parts(value: str) -> Parts:
    """The parts in a record `GNU.sparse.map`: offset,length,offset,length … Raises TarTrouble."""
    words = value.split(",") if value else []
    if len(words) % 2 or not all(w.isascii() and w.isdigit() and len(w) < 20 for w in words):
        raise TarTrouble("the map of a sparse file is malformed")
    numbers = [int(word) for word in words]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def sound(parts: Parts, size: int, stored: int) -> Parts:
    """The parts, if they are in order, fit into the file and are all that is stored. Raises
    TarTrouble.
    """
    if len(parts) > _MOST_PARTS:
        raise TarTrouble("a sparse file has too many parts")
    at = 0
    for offset, length in parts:
        if offset < at or length < 0:
            raise TarTrouble("the map of a sparse file is out of order")
        at = offset + length
    if at > size or sum(length for _, length in parts) != stored:
        raise TarTrouble("the map of a sparse file does not fit its data")
    return parts
