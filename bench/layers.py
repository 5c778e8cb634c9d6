"""A layer walked, and scanned to its inventory, beside the standard library and beside the least
that any reader must do.

The least is decompressing it and hashing both sides. One layer of 180 MB is made of this Python's
own library, one is all of a Debian where it can be made; one of 5 GB is made while it is read, for
its memory alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from tests.support import streamed

from bench.material import BUILD
from bench.process import run

SIZE: Final = 180_000_000
DEBIAN: Final = BUILD.parent / "rootfs" / "bookworm-minbase-openssl.tar"
SLOWEST: Final = 1.3  # times the least, for the inventory
LARGEST: Final = 80.0  # MiB of the process, for the layer of 180 MB
LARGEST_LARGE: Final = 150.0  # MiB, for the one of 5 GB
_TIMES: Final = 5
_OURS: Final = ("least", "walked", "inventory")
_THEIRS: Final = ("tarfile and gzip", "tarfile and isal")
_MIB: Final = 1 << 20
Work = Callable[[], object]


def main() -> int:
    """Prints the tables; 1 where an inventory is slower or larger than it may be."""
    failed = False
    for words, path in _layers():
        failed |= _compared(words, path)
    usage = _measured(("large",), _made(), 1)["large"]
    print(f"    5 GB, made while read    {usage.wall:6.1f} s {usage.memory:33.0f} MiB\n")
    return int(failed or usage.memory > LARGEST_LARGE)


def _compared(words: str, path: Path) -> bool:
    """One table; whether the inventory is larger than it may be or, of gzip, slower: zstd unpacks
    so fast that the same walking weighs more beside it.
    """
    size, load = path.stat().st_size, os.getloadavg()[0]
    print(f"  {words}, {size // 1_000_000} MB compressed, at a load of {load:.1f}")
    found = _measured(_OURS if path.suffix == ".zst" else (*_OURS, *_THEIRS), path)
    for name, (wall, cpu, memory) in found.items():
        speed = SIZE / wall / 1e6
        print(f"    {name:<24} {wall:6.3f} s {cpu:6.3f} s CPU {speed:5.0f} MB/s {memory:4.0f} MiB")
    for name, other in (
        ("walked", "least"),
        ("inventory", "least"),
        *((name, "walked") for name in _THEIRS),
    ):
        if name in found:
            wall, cpu = (found[name][i] / found[other][i] for i in range(2))
            print(f"    {f'{name} / {other}':<26} {wall:4.2f} x {cpu:6.2f} x CPU")
    ours = found["inventory"]
    slow = path.suffix == ".gz" and ours.wall > SLOWEST * found["least"].wall
    return slow or ours.memory > LARGEST


class Figures(NamedTuple):
    """Seconds, seconds of CPU (both without starting Python) and peak MiB."""

    wall: float
    cpu: float
    memory: float


def _measured(names: Sequence[str], path: Path, times: int = _TIMES) -> dict[str, Figures]:
    """The medians of several rounds: each has every mode once, so that what else the machine does
    meets all of them alike.
    """
    out = BUILD / "layer.json"
    figures: dict[str, list[Figures]] = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            usage = run((sys.executable, "-m", "bench.layers", name, str(path)), out)
            figures[name].append(Figures(*json.loads(out.read_text()), usage.memory))
    return {
        name: Figures._make(median(column) for column in zip(*some, strict=True))
        for name, some in figures.items()
    }


def _layers() -> Iterator[tuple[str, Path]]:
    made = _made()
    yield f"one layer of {SIZE // 1_000_000} MB", made
    yield "the same by zstd", made.with_suffix(".zst")
    if DEBIAN.exists():
        path = BUILD / "debian.tar.gz"
        if not path.exists():
            path.write_bytes(gzip.compress(DEBIAN.read_bytes(), compresslevel=6, mtime=0))
        yield f"a Debian of {DEBIAN.stat().st_size // 1_000_000} MB", path


def _made() -> Path:
    path = BUILD / "layer.tar.gz"
    if path.exists():
        return path
    from martello.adapters.zstd import zstd

    raw = BUILD / "layer.tar"
    with tarfile.open(raw, "w", format=tarfile.PAX_FORMAT) as archive:
        size = turn = 0
        while size < SIZE:
            turn += 1
            for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*")):
                if file.is_file() and size < SIZE:
                    archive.add(file, f"usr/lib/{turn}/{file.name}")
                    size += file.stat().st_size
    content = raw.read_bytes()
    (BUILD / "layer.tar.zst").write_bytes(zstd.compress(content, 3))
    path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
    raw.unlink()
    return path


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(1 << 17):
            yield part


def _least(path: Path) -> Work:
    unpack = _zstd() if path.suffix == ".zst" else _gzip()

    def work() -> None:
        outer, inner = hashlib.sha256(), hashlib.sha256()
        for part in _parts(path):
            outer.update(part)
            for plain in unpack(part):
                inner.update(plain)

    return work


def _gzip() -> Callable[[bytes], Iterator[bytes]]:
    from isal import igzip_lib

    inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    def parts(part: bytes) -> Iterator[bytes]:
        yield inflate.decompress(part, _MIB)
        while not inflate.needs_input and not inflate.eof:
            yield inflate.decompress(b"", _MIB)

    return parts


def _zstd() -> Callable[[bytes], Iterator[bytes]]:
    from martello.adapters.zstd import zstd

    inflate = zstd.ZstdDecompressor()

    def parts(part: bytes) -> Iterator[bytes]:
        yield inflate.decompress(part, _MIB)
        while not inflate.needs_input and not inflate.eof:
            yield inflate.decompress(b"", _MIB)

    return parts


def _walked(path: Path) -> Work:
    from martello.adapters.layers import LayerStream

    def work() -> None:
        with LayerStream(_parts(path)) as stream:
            for _ in stream.walk():
                pass
            stream.finish()

    return work


def _inventory(path: Path) -> Work:
    return _scan(streamed.one(path))


def _large(_: Path) -> Work:
    return _scan(streamed.large())


def _scan(image: streamed.Streamed) -> Work:
    from martello.practices.images.scan import scan_image

    return lambda: scan_image(image.image, image, name="x")


def _tarfile(path: Path) -> Work:
    """Entries only: it hashes neither side."""

    def work() -> None:
        with tarfile.open(path, "r|gz") as archive:
            for _ in archive:
                pass

    return work


def _tarfile_isal(path: Path) -> Work:
    from isal import igzip

    def work() -> None:
        with igzip.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for _ in archive:
                pass

    return work


MODES: Final[dict[str, Callable[[Path], Work]]] = {
    "least": _least,
    "walked": _walked,
    "inventory": _inventory,
    "tarfile and gzip": _tarfile,
    "tarfile and isal": _tarfile_isal,
    "large": _large,
}


if __name__ == "__main__":
    work = MODES[sys.argv[1]](Path(sys.argv[2]))  # all is imported before the clock starts
    begun = time.perf_counter(), time.process_time()
    work()
    print(json.dumps([time.perf_counter() - begun[0], time.process_time() - begun[1]]))
