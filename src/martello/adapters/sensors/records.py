"""The records of the probes (probes/*.bt): their fields, and the bytes that strings and names stand
for.
"""

from __future__ import annotations

import errno
import re
from typing import Final, NamedTuple

from martello.adapters.sensors.shape import parsed, text_of

LONGEST_STRING: Final = 199  # of str(): longer ones are cut
LONGEST_NAME: Final = 40  # bytes of a name that are told: one that long is not told whole
_HEAD: Final = b'{"type": "printf", "data": "'
_TAIL: Final = b'\\n"}'
_ESCAPE: Final = re.compile(rb"\\(u[0-9a-f]{8}|u[0-9a-f]{4}|.)", re.S)
_PLAIN: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}
_FIELDS: Final = {b"O": 10, b"U": 10, b"Y": 8, b"C": 14, b"L": 11, b"P": 12, b"M": 4}


class Record(NamedTuple):
    """One record: its kind, its fields with the kind as the first, and all of it."""

    kind: bytes
    fields: list[bytes]
    raw: bytes


def record(line: bytes) -> Record | None:
    """The record of a line; None where the line is something else of bpftrace's."""
    if not (line.startswith(_HEAD) and line.endswith(_TAIL)):
        return None
    data = line[len(_HEAD) : -len(_TAIL)]
    return Record(data[:1], data.split(b"|", _FIELDS.get(data[:1], 16)), data)


def unescaped(field: bytes) -> bytes:
    """The bytes of a string that bpftrace escaped: as JSON, but a byte above 0x7f may come as
    `\\uffffff` and its two digits (P3), and control characters may come as they are.
    """
    if b"\\" not in field:
        return field
    return _ESCAPE.sub(_one, field)


def _one(found: re.Match[bytes]) -> bytes:
    what = found[1]
    if len(what) > 4 and what[:1] == b"u":
        if len(what) == 9 and not what.startswith(b"uffffff"):
            return bytes((int(what[1:5], 16) & 255,)) + what[5:]
        return bytes((int(what[-2:], 16),))
    return _PLAIN.get(what, what)


def name(field: bytes) -> bytes:
    """A name told as bytes in hex, cut at its end; what is behind that is of nobody."""
    return bytes.fromhex(field.decode("ascii")).split(b"\0", 1)[0]


def path(names: list[bytes]) -> bytes | None:
    """The path that names upwards from a file make; None where they do not reach the root, or one
    is too long to be told.
    """
    parts: list[bytes] = []
    for one in names:
        if one == b"/":
            return b"/" + b"/".join(reversed(parts))
        if len(one) >= LONGEST_NAME or not one:
            return None
        parts.append(one)
    return None


def result(value: int) -> str:
    """What a call gave: SUCCESS or the name of the error."""
    return "SUCCESS" if value >= 0 else errno.errorcode.get(-value, str(value))


def string(field: bytes, flags: set[str]) -> str:
    """A text of bpftrace's."""
    value = unescaped(field)
    if len(value) >= LONGEST_STRING:
        flags.add("truncated")
    return text_of(value, flags)


def lost(line: bytes) -> int | None:
    """How many records a line says that the kernel has dropped; None where it says something else.
    Raises NotRead.
    """
    raw = parsed(line, set())
    if raw.get("type") != "lost_events":
        return None
    data = raw.get("data")
    count = data.get("events") if isinstance(data, dict) else None
    return count if isinstance(count, int) else 0
