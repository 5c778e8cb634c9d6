"""The frames of the intake log: mark, length, position, CRC-32C of both and of the body, body.

The mark is eight random bytes that begin a file, so that no body can hold what looks like a frame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from martello.core.event import Gap
from martello.store.crc32c import crc32c

MARK: Final = 8  # bytes
LARGEST: Final = 64 << 20  # bytes of one frame: a body of the webhook
_HEAD: Final = struct.Struct("<8sIQI")
Place = tuple[int, int, int]  # position, offset and size of the body
_FIELDS: Final = struct.Struct("<IQ")
HEAD: Final = _HEAD.size


class Frame(msgspec.Struct, frozen=True):
    """One acknowledged body, and its position in its source."""

    position: int
    body: bytes


def frame_head(mark: bytes, position: int, body: bytes) -> bytes:
    """The head of a frame: its checksum covers length, position and body."""
    fields = _FIELDS.pack(len(body), position)
    return _HEAD.pack(mark, len(body), position, crc32c(body, crc32c(fields)))


def frames(path: Path, places: Sequence[Place] | None = None) -> Iterator[Frame]:
    """The good frames of a file, or those whose places are known; none where it was freed."""
    try:
        told = scan(path)[0] if places is None else places
        with open(path, "rb") as file:
            for position, start, size in told:
                file.seek(start)
                yield Frame(position, file.read(size))
    except FileNotFoundError:
        return


def scan(path: Path) -> tuple[list[Place], list[Gap], int]:
    """The good frames of a file as position, offset and size of the body; what is damaged between
    them; and where the last good one ends.
    """
    data = path.read_bytes()
    mark = data[:MARK]
    places: list[Place] = []
    gaps: list[Gap] = []
    if len(mark) < MARK:
        return places, gaps, 0
    next, end = 0, MARK
    at = end
    while at < len(data):
        found = _frame(data, at, mark)
        if found is None or found[0] < next:
            at = data.find(mark, at + 1)
            if at < 0:
                break
            continue
        if at > end:
            gaps.append(Gap(str(path), end, at - end, "frames of the spool are damaged"))
        places.append(found)
        next = found[0] + 1
        end = at = found[1] + found[2]
    return places, gaps, end


def _frame(data: bytes, at: int, mark: bytes) -> Place | None:
    start = at + _HEAD.size
    if start > len(data):
        return None
    found, size, position, crc = _HEAD.unpack_from(data, at)
    if found != mark or size > LARGEST or start + size > len(data):
        return None
    told = crc32c(memoryview(data)[start : start + size], crc32c(_FIELDS.pack(size, position)))
    return (position, start, size) if told == crc else None
