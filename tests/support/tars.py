"""Tar headers made by hand, for archives that no library would write."""

from __future__ import annotations

from martello.adapters import tar
from martello.adapters.tar import Entry, Limits

END = bytes(1024)


def octal(value: int, width: int) -> bytes:
    """A number as most headers have it."""
    return f"{value:0{width - 1}o}".encode() + b"\0"


def base256(value: int, width: int) -> bytes:
    """A number as GNU headers have it where octal digits do not suffice."""
    return bytes([0xFF if value < 0 else 0x80]) + value.to_bytes(width - 1, "big", signed=True)


def head(
    name: bytes | str,
    *,
    size: int | bytes = 0,
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    mode: bytes = b"0000644\0",
    rest: bytes = b"",
    signed: bool = False,
    checksum: int | None = None,
) -> bytes:
    """One header. `rest` is written over everything from byte 345 on."""
    name = name.encode() if isinstance(name, str) else name
    numbers = size if isinstance(size, bytes) else octal(size, 12)
    block = name[:100].ljust(100, b"\0") + mode + octal(0, 8) + octal(0, 8) + numbers
    block += octal(0, 12) + b" " * 8 + kind + link.ljust(100, b"\0") + magic.ljust(8, b"\0")
    block += bytes(80) + (rest or prefix).ljust(167, b"\0")
    assert len(block) == 512
    total = sum(b - 256 if signed and b > 127 else b for b in block)
    total = total if checksum is None else checksum
    return block[:148] + f"{total:06o}\0 ".encode() + block[156:]


def filled(data: bytes) -> bytes:
    """Data with what fills its last block."""
    return data + bytes(-len(data) % 512)


def file(name: bytes | str, data: bytes = b"", **fields: bytes) -> bytes:
    """A header and its content."""
    return head(name, size=len(data), **fields) + filled(data)  # type: ignore[arg-type]


def record(key: str, value: str | bytes) -> bytes:
    """One record of an extended header, with its own length before it."""
    value = value.encode() if isinstance(value, str) else value
    body = b" " + key.encode() + b"=" + value + b"\n"
    size = len(body) + 1
    while len(str(size)) + len(body) != size:
        size = len(str(size)) + len(body)
    return str(size).encode() + body


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header."""
    return file("pax", b"".join(records), kind=kind)


def long(name: bytes, kind: bytes = b"L") -> bytes:
    """A GNU long name or long link."""
    return file("././@LongLink", name + b"\0", kind=kind, magic=b"ustar  \0")


def entries(archive: bytes, part: int = 1 << 20, **limits: int) -> list[tuple[Entry, bytes]]:
    """All entries with their contents, read in parts of a size."""
    at = 0

    def read(count: int) -> bytes:
        nonlocal at
        at += min(count, part)
        return archive[at - min(count, part) : at]

    walked = tar.walk(read, Limits(**limits))
    return [(entry, body.whole(1 << 24)) for entry, body in walked]


def names(archive: bytes) -> list[str]:
    """The paths of an archive."""
    return [entry.path for entry, _ in entries(archive)]
