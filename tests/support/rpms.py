"""Real rpm packages, real rpm databases, and the same headers in rpm's older formats."""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import pytest

_SPEC = """
Name: tiny
Version: 1.2
Release: 3.el9
Epoch: 4
Summary: A package for tests
License: MIT and (GPLv2+ or Zlib)
Vendor: Example
BuildArch: noarch
Modularitylabel: tiny:5:8090020231110160222:abcdef12
%description
A package for tests.
%package -n other-tools
Version: 7~rc1^git
Release: 0
Epoch: 0
Summary: Another version than its source
%description -n other-tools
Another one.
%package many
Summary: One with a header larger than a page
%description many
Many files.
%install
mkdir -p %{buildroot}/usr/lib/node_modules/tiny %{buildroot}/usr/bin %{buildroot}/usr/share/many
echo '{"name": "tiny", "version": "1.2.0"}' > %{buildroot}/usr/lib/node_modules/tiny/package.json
touch %{buildroot}/usr/bin/tiny
for i in $(seq 400); do touch %{buildroot}/usr/share/many/a-rather-long-name-$i.txt; done
%files
/usr/lib/node_modules/tiny/package.json
%files -n other-tools
/usr/bin/tiny
%files many
/usr/share/many
"""


def need(program: str, package: str) -> str:
    """The program, or a skip that says what to install."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program}: apt-get install {package}")
    return found


@lru_cache(maxsize=1)
def packages() -> tuple[bytes, ...]:
    """Three small packages, built by rpmbuild."""
    program = need("rpmbuild", "rpm")
    with tempfile.TemporaryDirectory(prefix="martello-rpm-") as name:
        folder = Path(name)
        (folder / "tiny.spec").write_text(_SPEC)
        command = [program, "-bb", "--define", f"_topdir {folder}", str(folder / "tiny.spec")]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        return tuple(path.read_bytes() for path in sorted(folder.glob("RPMS/*/*.rpm")))


def install(database: Path, some: Sequence[bytes]) -> None:
    """Notes packages in a database, without their files, as rpm does."""
    program = need("rpm", "rpm")
    database.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="martello-rpm-") as name:
        files = [Path(name) / f"{number}.rpm" for number in range(len(some))]
        for file, content in zip(files, some, strict=True):
            file.write_bytes(content)
        base = [program, "--dbpath", str(database)]
        subprocess.run([*base, "--initdb"], check=True, capture_output=True)
        command = [*base, "-i", "--justdb", "--nodeps", "--force", *map(str, files)]
        subprocess.run(command, check=True, capture_output=True)


def query(database: Path, form: str, backend: str = "sqlite") -> list[str]:
    """What rpm itself says of each package, sorted."""
    command = [need("rpm", "rpm"), "--dbpath", str(database), "--define", f"_db_backend {backend}"]
    done = subprocess.run([*command, "-qa", "--qf", form + "\n"], check=True, capture_output=True)
    return sorted(done.stdout.decode().splitlines())


def headers(database: Path) -> list[bytes]:
    """The headers of a database in SQLite."""
    with closing(sqlite3.connect(database / "rpmdb.sqlite")) as opened:
        return [blob for (blob,) in opened.execute("SELECT blob FROM Packages ORDER BY hnum")]


def ndb(some: Sequence[bytes]) -> bytes:
    """Packages.db with these headers; the second slot is empty, as after a removal."""
    slots, blobs = [struct.pack("<4sIII", b"Slot", 0, 0, 0)], b""
    for number, header in enumerate(some, 1):
        size = -(-(16 + len(header) + 12) // 16) * 16
        head = struct.pack("<4sIII", b"BlbS", number, 1_700_000_000, len(header))
        body = (head + header).ljust(size - 12, b"\0")
        body += struct.pack("<II4s", zlib.adler32(body), len(header), b"BlbE")
        block = (4096 + len(blobs)) // 16
        slots.append(struct.pack("<4sIII", b"Slot", number, block, size // 16))
        blobs += body
    start = struct.pack("<4sIIII", b"RpmP", 0, 1, 1, len(some) + 1).ljust(32, b"\0")
    page = start + b"".join(slots)
    return page + struct.pack("<4sIII", b"Slot", 0, 0, 0) * ((4096 - len(page)) // 16) + blobs


def bdb(some: Sequence[bytes], page: int = 512, order: str = "<") -> bytes:
    """A hash of Berkeley DB with one bucket: each header in a chain of overflow pages."""
    pages: list[bytes] = []
    items = [(struct.pack(f"{order}I", 0), b"\x01" + struct.pack(f"{order}I", len(some)))]
    number = 2
    for key, header in enumerate(some, 1):
        entry = struct.pack(f"{order}B3xII", 3, number, len(header))
        items.append((struct.pack(f"{order}I", key), entry))
        room = page - 26
        for at in range(0, len(header), room):
            part = header[at : at + room]
            following = number + 1 if at + room < len(header) else 0
            start = struct.pack(f"{order}8xIIIHHBB", number, 0, following, 1, len(part), 0, 7)
            pages.append((start + part).ljust(page, b"\0"))
            number += 1
    offsets, end = [], page
    data = bytearray(page)
    for raw, value in items:
        for item in (b"\x01" + raw, value):
            end -= len(item)
            data[end : end + len(item)] = item
            offsets.append(end)
    struct.pack_into(f"{order}8xIIIHHBB", data, 0, 1, 0, 0, len(offsets), end, 0, 13)
    struct.pack_into(f"{order}{len(offsets)}H", data, 26, *offsets)
    meta = bytearray(page)
    struct.pack_into(f"{order}8xIIIIBBBxII", meta, 0, 0, 0x61561, 9, page, 0, 8, 0, 0, number - 1)
    struct.pack_into(f"{order}III", meta, 72, 0, 0, 0)
    struct.pack_into(f"{order}32I", meta, 96, *([1] * 32))
    return bytes(meta) + bytes(data) + b"".join(pages)
