"""Go programs: the modules that the linker wrote into them, and the toolchain's own library.

Both layouts of the build information are read: strings in place (since Go 1.18), and pointers to
strings (before). Source: debug/buildinfo and runtime/debug of Go's own library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.package import Package, Unread
from martello.practices.images.evidence.executable import Executable, Region
from martello.practices.images.evidence.model import NOTHING, Parsed, Reader
from martello.practices.images.evidence.text import proven, word

SECTIONS: Final = frozenset((".go.buildinfo", "__go_buildinfo"))
READERS: tuple[Reader, ...] = ()  # programs are read once for all languages: see binaries

_MAGIC: Final = b"\xff Go buildinf:"
_HEADER: Final = 32
_CHUNK: Final = 1 << 20
_LONGEST: Final = 16 << 20  # of the list of modules; Kubernetes' own has 30 KiB
_RELEASE: Final = re.compile(r"(devel )?\+?go(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)(\d+))?(?!\d)")
_FLAG: Final = re.compile(r"-X[= ]\s*['\"]?([\w./~-]+)\.(\w+)=([^\s'\"]+)")
_NUMBER: Final = re.compile(r"v?(\d+\.\d+(?:\.\d+)?(?:[-+][\w.+-]+)?)\Z")


class BuildInformation(msgspec.Struct, frozen=True):
    """What the linker writes: the toolchain's version and the list of modules."""

    toolchain: str
    modules: str  # lines; empty where the program was built without modules


def read_go(path: str, program: Executable) -> Parsed:
    """The modules of a program; nothing where it is not of Go."""
    try:
        information = build_information(program)
    except ValueError as error:
        return Parsed(unread=(Unread("Go program", path, str(error)),))
    if information is None:
        return NOTHING
    packages, missing = [*_toolchain(information)], []
    if not packages:
        missing.append(f"its toolchain is of no release: {word(information.toolchain)[:80]}")
    if information.modules:
        packages += modules(information.modules)
    else:
        missing.append("it was built without module information, so its modules are not known")
    unread = tuple(Unread("Go program", path, why) for why in missing)
    return Parsed(tuple(dict.fromkeys(packages)), unread=unread)


def build_information(program: Executable) -> BuildInformation | None:
    """The build information of a program; None where it has none. Raises ValueError where it is
    damaged.
    """
    sections = [program.sections[name] for name in SECTIONS if name in program.sections]
    data = sections[0] if sections else program.data
    address = _find(program, data) if data else -1
    if address < 0 and not sections:
        return None
    header = program.at(address, _HEADER) if address >= 0 else b""
    if len(header) < _HEADER:
        raise ValueError("its build information is damaged, so its modules are not known")
    if header[15] & 2:
        toolchain, after = _inline(program, address + _HEADER)
        listed, _ = _inline(program, after)
    else:
        toolchain, listed = _pointed(program, header)
    if not toolchain:
        raise ValueError("its build information is damaged, so its modules are not known")
    framed = len(listed) >= 33 and listed[-17:-16] == b"\n"
    text = listed[16:-16].decode("utf-8", "replace") if framed else ""
    return BuildInformation(toolchain.decode("utf-8", "replace"), text)


def modules(text: str) -> Iterator[Package]:
    """The packages of a list of modules: the main module first, replaced ones as what they were
    replaced with. One that a directory replaces keeps its name, and its version where that was
    published.
    """
    rows = [line.split("\t") for line in text.splitlines()]
    flags = "\n".join(row[1] for row in rows if row[0] == "build" and len(row) > 1)
    for place, row in enumerate(rows):
        if row[0] not in ("mod", "dep") or len(row) < 2:
            continue
        name, version = row[1], row[2] if len(row) > 2 else ""
        if place + 1 < len(rows) and rows[place + 1][0] == "=>" and len(rows[place + 1]) > 1:
            other = rows[place + 1]
            if len(other) > 2 and other[2] not in ("", "(devel)"):
                name, version = other[1], other[2]
            elif version == "v0.0.0":
                version = ""
        if version == "(devel)":
            version = _stamped(name, flags) if row[0] == "mod" else ""
        if word(name):
            version = word(version).removeprefix("v")
            yield Package(type="golang", name=word(name), version=version)


def release(toolchain: str) -> str:
    """A toolchain's version as Go's advisories order it: `go1.22rc1` is 1.22.0-rc.1; a build
    between releases stands before its release. Empty where it is none.
    """
    found = _RELEASE.match(toolchain.strip())
    if found is None:
        return ""
    before, major, minor, patch, stage, number = found.groups()
    mark = "-devel" if before else f"-{stage}.{number}" if stage else ""
    return f"{major}.{minor}.{patch or 0}{mark}"


def _toolchain(information: BuildInformation) -> Iterator[Package]:
    version = release(information.toolchain)
    if not version:
        return
    yield proven("golang", "stdlib", version)
    if re.match(r"path\tcmd/", information.modules):  # go itself, or one of its commands
        yield proven("golang", "toolchain", version)


def _stamped(module: str, flags: str) -> str:
    """The version that -ldflags wrote into a variable of the program, if it is but one."""
    found = set()
    for package, variable, value in _FLAG.findall(flags):
        own = package == "main" or package == module or package.startswith(f"{module}/")
        name = variable.lower()
        number = _NUMBER.match(value)
        if own and number and name.endswith("version") and not name.startswith("go"):
            found.add(number[1])
    return found.pop() if len(found) == 1 else ""


def _find(program: Executable, data: Region) -> int:
    """The address of the build information, aligned to 16 bytes, or -1."""
    start = (data.address + 15) & ~15
    end = data.address + data.size
    while start < end:
        chunk = program.at(start, min(_CHUNK, end - start))
        place = chunk.find(_MAGIC)
        while place >= 0 and place % 16:
            place = chunk.find(_MAGIC, place + 1)
        if place >= 0:
            return start + place
        if len(chunk) < _CHUNK:
            return -1
        start += _CHUNK
    return -1


def _inline(program: Executable, address: int) -> tuple[bytes, int]:
    """A string that stands in place behind its length, and the address after it."""
    length = shift = 0
    for count, byte in enumerate(program.at(address, 10), 1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            address += count
            data = program.at(address, length) if length <= _LONGEST else b""
            return (data, address + length) if len(data) == length else (b"", address)
    return b"", address


def _pointed(program: Executable, header: bytes) -> tuple[bytes, bytes]:
    size, order = header[14], "big" if header[15] & 1 else "little"
    if size not in (4, 8):
        return b"", b""
    found = []
    for place in (16, 16 + size):
        at = int.from_bytes(header[place : place + size], order)  # type: ignore[arg-type]
        pair = program.at(at, 2 * size)
        start = int.from_bytes(pair[:size], order)  # type: ignore[arg-type]
        length = int.from_bytes(pair[size:], order)  # type: ignore[arg-type]
        data = program.at(start, length) if length <= _LONGEST else b""
        found.append(data if len(data) == length else b"")
    return found[0], found[1]
