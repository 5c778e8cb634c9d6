"""Walking a layer, beside the standard library and beside the least that any reader must do.

The least is decompressing it and hashing both sides. One layer of 180 MB is made of this Python's
own library; one of 5 GB is made while it is read, for its memory alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.material import BUILD
from bench.process import run

SIZE: Final = 180_000_000
LARGE: Final = 5 << 30
SLOWEST: Final = 1.3  # times the least
LARGEST: Final = 80.0  # MiB of the process, for the layer of 180 MB
LARGEST_LARGE: Final = 150.0  # MiB, for the one of 5 GB
_TIMES: Final = 5
_MIB: Final = 1 << 20


def main() -> int:
    """Prints the table; 1 where walking is slower or larger than it may be."""
    path = _made()
    print(
        f"  one layer of {SIZE // 1_000_000} MB, {path.stat().st_size // 1_000_000} MB compressed"
    )
    found = {name: _measured(name, path) for name in MODES if name != "large"}
    for name, (wall, cpu, memory) in found.items():
        speed = SIZE / wall / 1e6
        print(f"    {name:<24} {wall:6.3f} s {cpu:6.3f} s CPU {speed:5.0f} MB/s {memory:4.0f} MiB")
    ours, least = found["martello"], found["least"]
    for name, words in (("least", "martello / least"), ("least, zstd", "the same, zstd")):
        mine = found["martello, zstd"] if "zstd" in name else ours
        wall, cpu = (mine[i] / found[name][i] for i in range(2))
        print(f"    {words:<24} {wall:6.2f} x {cpu:6.2f} x CPU")
    for name in ("tarfile and gzip", "tarfile and isal"):
        wall, cpu = (found[name][i] / ours[i] for i in range(2))
        print(f"    {name + ' / martello':<27} {wall:3.2f} x {cpu:6.2f} x CPU")
    wall, _, memory = _measured("large", path, 1)
    print(f"    5 GB, made while read    {wall:6.1f} s {memory:33.0f} MiB\n")
    slow = ours[0] > SLOWEST * least[0]
    return int(slow or ours[2] > LARGEST or memory > LARGEST_LARGE)


def _measured(name: str, path: Path, times: int = _TIMES) -> tuple[float, float, float]:
    """Seconds, seconds of CPU (both without starting Python) and peak MiB."""
    out = BUILD / "layer.json"
    figures = []
    for _ in range(times):
        usage = run((sys.executable, "-m", "bench.layers", name, str(path)), out)
        wall, cpu = json.loads(out.read_text())
        figures.append((wall, cpu, usage.memory))
    # The best of several: what else the machine does only adds to it.
    wall, cpu, memory = (min(one[i] for one in figures) for i in range(3))
    return wall, cpu, memory


def _made() -> Path:
    path = BUILD / "layer.tar.gz"
    if path.exists():
        return path
    import zstandard

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
    (BUILD / "layer.tar.zst").write_bytes(zstandard.ZstdCompressor(level=3).compress(content))
    path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
    raw.unlink()
    return path


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(1 << 17):
            yield part


def _least(path: Path) -> None:
    from isal import igzip_lib

    outer, inner = hashlib.sha256(), hashlib.sha256()
    inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    for part in _parts(path):
        outer.update(part)
        inner.update(inflate.decompress(part, _MIB))
        while not inflate.needs_input and not inflate.eof:
            inner.update(inflate.decompress(b"", _MIB))


def _least_zstd(path: Path) -> None:
    import zstandard

    outer, inner = hashlib.sha256(), hashlib.sha256()
    unpack = zstandard.ZstdDecompressor().decompressobj()
    for part in _parts(path.with_suffix(".zst")):
        outer.update(part)
        inner.update(unpack.decompress(part))


def _martello(path: Path) -> None:
    from martello.adapters.layers import LayerStream

    with LayerStream(_parts(path)) as stream:
        for _ in stream.walk():
            pass
        stream.finish()


def _martello_zstd(path: Path) -> None:
    _martello(path.with_suffix(".zst"))


def _tarfile(path: Path) -> None:
    """Entries only: it hashes neither side."""
    with tarfile.open(path, "r|gz") as archive:
        for _ in archive:
            pass


def _tarfile_isal(path: Path) -> None:
    from isal import igzip

    with igzip.open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
        for _ in archive:
            pass


def _large(_: Path) -> None:
    """One file of 5 GB between small ones; half of its bytes do not compress."""
    from martello.adapters.layers import LayerStream

    info = tarfile.TarInfo("var/large")
    info.size = LARGE
    member = gzip.compress(random.Random(1).randbytes(_MIB // 2) + bytes(_MIB // 2), 1, mtime=0)

    def blob() -> Iterator[bytes]:
        yield gzip.compress(info.tobuf(tarfile.GNU_FORMAT), mtime=0)
        for _ in range(LARGE // _MIB):
            yield member
        yield gzip.compress(bytes(1024), mtime=0)

    with LayerStream(blob()) as stream:
        assert [entry.size for entry, _ in stream.walk()] == [LARGE]


MODES: Final[dict[str, Callable[[Path], None]]] = {
    "least": _least,
    "martello": _martello,
    "least, zstd": _least_zstd,
    "martello, zstd": _martello_zstd,
    "tarfile and gzip": _tarfile,
    "tarfile and isal": _tarfile_isal,
    "large": _large,
}


if __name__ == "__main__":
    import martello.adapters.layers  # noqa: F401  imported before the clock starts

    begun = time.perf_counter(), time.process_time()
    MODES[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps([time.perf_counter() - begun[0], time.process_time() - begun[1]]))
