"""Programs as ELF, PE and Mach-O: named sections, and what the file holds of each address.

Only tables are read, so a program of any size costs a few KiB. Sources: the System V ABI,
Microsoft's PE format, Apple's Mach-O loader.h.
"""

from __future__ import annotations

import struct
from typing import IO, Final

import msgspec

_SEGMENTS: Final = 4096
_SECTIONS: Final = 65536
_NAMES: Final = 8 << 20
_COMMANDS: Final = 4 << 20
_SLICES: Final = 30  # a Java class has the magic of a fat Mach-O, and its version where they count
_PE_DATA: Final = 0xC0000040  # initialized data that is read and written
_PE_ALIGNED: Final = 0x600000


class Region(msgspec.Struct, frozen=True):
    """Bytes of the file that stand at an address of the running program."""

    address: int
    size: int
    offset: int


class Executable(msgspec.Struct, frozen=True):
    """The tables of a program. `tables` is False where it has no section table."""

    file: IO[bytes]
    sections: dict[str, Region]  # only those asked for
    regions: tuple[Region, ...] = ()
    data: Region | None = None  # the first that can be written, where there is no wanted section
    tables: bool = True

    def at(self, address: int, count: int) -> bytes:
        """Bytes at an address, as many as its region holds of them."""
        for region in self.regions:
            if 0 <= (inside := address - region.address) < region.size:
                return read_at(self.file, region.offset + inside, min(count, region.size - inside))
        return b""


def is_program(head: bytes) -> bool:
    """Whether a file that begins so may be a program of one of the formats."""
    if head[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"):
        return 0 < int.from_bytes(head[4:8]) <= _SLICES
    return head[:4] == b"\x7fELF" or head[:2] == b"MZ" or head[:4] in _MACH


def read_tables(file: IO[bytes], wanted: frozenset[str]) -> Executable | None:
    """The wanted sections and the regions of a program; None where the file is none. Raises
    ValueError, struct.error where its headers are damaged.
    """
    head = read_at(file, 0, 8)
    if head[:4] == b"\x7fELF":
        return _elf(file, wanted)
    if head[:2] == b"MZ":
        return _pe(file, wanted)
    if head[:4] in (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf") and is_program(head):
        wide = head[3] == 0xBF  # the slices hold the same modules: one is enough, as Go reads them
        (start,) = struct.unpack_from(">Q" if wide else ">I", read_at(file, 16, 8))
        return _mach(file, start, wanted)
    return _mach(file, 0, wanted) if head[:4] in _MACH else None


def read_at(file: IO[bytes], offset: int, count: int) -> bytes:
    """Bytes of a file, fewer at its end; none beyond it."""
    if not (0 <= offset < 1 << 62) or count <= 0:
        return b""
    file.seek(offset)
    return file.read(count)


def _elf(file: IO[bytes], wanted: frozenset[str]) -> Executable:
    head = read_at(file, 0, 64)
    order = ">" if head[5:6] == b"\2" else "<"
    wide = head[4:5] == b"\2"
    layout = struct.Struct(f"{order}{'QQ' if wide else 'II'}I6H")
    where = 32 if wide else 28
    programs_at, sections_at, _, _, program_size, programs, entry, count, names = (
        layout.unpack_from(head, where)
    )
    section = struct.Struct(f"{order}{'IIQQQQIIQQ' if wide else '10I'}")
    regions, data = _elf_segments(file, order, wide, programs_at, program_size, programs)
    found = None
    if sections_at and entry == section.size:
        first = read_at(file, sections_at, section.size)
        if len(first) == section.size:  # counts that do not fit stand in the first, empty section
            zero = section.unpack(first)
            count, names = count or zero[5], zero[6] if names == 0xFFFF else names
            table = read_at(file, sections_at, min(count, _SECTIONS) * section.size)
            found = _elf_sections(file, section, table, names, wanted)
    return Executable(file, found or {}, regions, data, found is not None)


def _elf_sections(
    file: IO[bytes], section: struct.Struct, table: bytes, names: int, wanted: frozenset[str]
) -> dict[str, Region] | None:
    if (names + 1) * section.size > len(table):
        return None
    strings = section.unpack_from(table, names * section.size)
    text = read_at(file, strings[4], min(strings[5], _NAMES))
    if b".shstrtab\0" not in text and b".strtab\0" not in text:
        return None
    at = {place: name for name in wanted for place in _places(text, name.encode() + b"\0")}
    if not at:
        return {}
    return {
        at[row[0]]: Region(row[3], row[5], row[4])
        for row in section.iter_unpack(table[: len(table) // section.size * section.size])
        if row[0] in at
    }


def _elf_segments(
    file: IO[bytes], order: str, wide: bool, start: int, size: int, count: int
) -> tuple[tuple[Region, ...], Region | None]:
    layout = struct.Struct(f"{order}{'IIQQQQQQ' if wide else '8I'}")
    if size != layout.size:
        return (), None
    regions, data = [], None
    table = read_at(file, start, min(count, _SEGMENTS) * size)
    for row in layout.iter_unpack(table[: len(table) // size * size]):
        if wide:
            kind, flags, offset, address, _, stored, memory, _ = row
        else:
            kind, offset, address, _, stored, memory, flags, _ = row
        if kind != 1:  # PT_LOAD
            continue
        regions.append(Region(address, stored, offset))
        if data is None and flags & 3 == 2:  # written, not run
            data = Region(address, memory, offset)
    return tuple(regions), data


def _pe(file: IO[bytes], wanted: frozenset[str]) -> Executable | None:
    (start,) = struct.unpack("<I", read_at(file, 60, 4))
    head = read_at(file, start, 24)
    if head[:4] != b"PE\0\0":
        return None
    _, _, count, _, _, _, optional, _ = struct.unpack("<4s2H3I2H", head)
    options = read_at(file, start + 24, optional)
    wide = options[:2] == b"\x0b\x02"
    (base,) = struct.unpack_from("<Q" if wide else "<I", options, 24 if wide else 28)
    sections: dict[str, Region] = {}
    regions, data = [], None
    table = read_at(file, start + 24 + optional, min(count, _SECTIONS) * 40)
    for row in struct.iter_unpack("<8s4I12xI", table[: len(table) // 40 * 40]):
        raw, memory, address, stored, offset, flags = row
        region = Region(base + address, stored, offset)
        regions.append(region)
        name = _name(raw)
        if name in wanted:
            sections.setdefault(name, Region(base + address, min(stored, memory or stored), offset))
        if data is None and address and stored and flags & ~_PE_ALIGNED == _PE_DATA:
            data = Region(base + address, memory, offset)
    return Executable(file, sections, tuple(regions), data)


_MACH: Final = {
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
}


def _mach(file: IO[bytes], base: int, wanted: frozenset[str]) -> Executable | None:
    head = read_at(file, base, 28)
    if head[:4] not in _MACH:
        return None
    order, wide = _MACH[head[:4]]
    count, size = struct.unpack_from(f"{order}2I", head, 16)
    commands = read_at(file, base + (32 if wide else 28), min(size, _COMMANDS))
    segment = struct.Struct(f"{order}8x16s{'4Q' if wide else '4I'}4I")
    section = struct.Struct(f"{order}16s16s{'QQI28x' if wide else '3I24x'}")
    sections: dict[str, Region] = {}
    regions, data, position = [], None, 0
    for _ in range(min(count, _SEGMENTS)):
        if position + 8 > len(commands):
            break
        command, length = struct.unpack_from(f"{order}2I", commands, position)
        if command == (0x19 if wide else 1):
            name, address, memory, offset, stored, largest, initial, inside, _ = (
                segment.unpack_from(commands, position)
            )
            if _name(name) != "__PAGEZERO":
                regions.append(Region(address, stored, base + offset))
            if data is None and address and stored and (largest, initial) == (3, 3):
                data = Region(address, memory, base + offset)
            rows = commands[position + segment.size : position + length]
            rows = rows[: min(inside, len(rows) // section.size) * section.size]
            for title, _, at, held, place in section.iter_unpack(rows):
                if _name(title) in wanted:
                    sections.setdefault(_name(title), Region(at, held, base + place))
        position += max(length, 8)
    return Executable(file, sections, tuple(regions), data)


def _name(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("ascii", "replace")


def _places(text: bytes, name: bytes) -> list[int]:
    found: list[int] = []
    place = text.find(name)
    while place >= 0 and len(found) < 64:
        found.append(place)
        place = text.find(name, place + 1)
    return found
