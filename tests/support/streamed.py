"""Large images that nobody holds: made while they are read, as often as they are asked for.

As a program it scans one and prints what that took, in a process whose peak memory is its own:
`python -m tests.support.streamed large`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.support import shop

from martello.core import artifact
from martello.core.artifact import Descriptor, Manifest, parse_manifest
from martello.core.errors import BadInput

Blob = Callable[[], Iterator[bytes]]
MIB: Final = 1 << 20
_ROOT: Final = Path(__file__).parents[2]
_PROGRAM: Final = b"\x7fELF\2\1\1" + bytes(57)
_PARAGRAPH: Final = (
    "Package: %s\nStatus: install ok installed\nArchitecture: amd64\nVersion: %s\n\n"
)


class Streamed:
    """An image whose blobs are made anew each time: a repository, and the only manifest in it."""

    where = "nowhere"

    def __init__(self, layers: Sequence[Blob]) -> None:
        self._blobs: dict[str, Blob] = {}
        self.asked: list[str] = []
        config = b'{"os":"linux","architecture":"amd64","config":{"User":"1"}}'
        manifest = {
            "schemaVersion": 2,
            "mediaType": artifact.OCI_MANIFEST,
            "config": self._described(lambda: iter((config,)), artifact.OCI_CONFIG),
            "layers": [self._described(layer, artifact.OCI_LAYER) for layer in layers],
        }
        self.raw = json.dumps(manifest).encode()
        parsed = parse_manifest(self.raw)
        assert isinstance(parsed, Manifest)
        self.image = parsed

    @property
    def size(self) -> int:
        """Bytes of all layers, as a registry would hold them."""
        return sum(layer.size for layer in self.image.layers)

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """The only one."""
        return self.raw, artifact.OCI_MANIFEST

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A part at a time, made now."""
        self.asked.append(descriptor.digest)
        made = self._blobs.get(descriptor.digest)
        if made is None:
            raise BadInput(f"no blob {descriptor.digest} in {self.where}")
        return made()

    def _described(self, blob: Blob, media: str) -> dict[str, Any]:
        digest, size = _measured(blob)
        self._blobs[digest] = blob
        return {"mediaType": media, "digest": digest, "size": size}


@lru_cache(maxsize=4096)
def _measured(blob: Blob) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for part in blob():
        digest.update(part)
        size += len(part)
    return f"sha256:{digest.hexdigest()}", size


class Piece(NamedTuple):
    """A file of a layer. What its start leaves of its size is filled, half of it with noise."""

    path: str
    size: int = 0  # the start's, if that is larger
    start: bytes = b""
    mode: int = 0o644


def layer(pieces: Callable[[], Iterator[Piece]], seed: int = 1) -> Blob:
    """A layer of these files: one gzip member for each MiB, so that making it costs little."""

    def made() -> Iterator[bytes]:
        filling = _filling(seed)
        for piece in pieces():
            info = tarfile.TarInfo(piece.path)
            info.size, info.mode = max(piece.size, len(piece.start)), piece.mode
            count, rest = divmod(info.size - len(piece.start), MIB)
            padding = bytes(-info.size % 512)
            yield _zipped(info.tobuf(tarfile.GNU_FORMAT) + piece.start)
            for _ in range(count):
                yield _zipped(filling)
            if rest or padding:
                yield _zipped(filling[:rest] + padding)
        yield _zipped(bytes(1024))

    return made


@lru_cache(maxsize=8)
def _filling(seed: int) -> bytes:
    return random.Random(seed).randbytes(MIB // 2) + bytes(MIB // 2)


@lru_cache(maxsize=32)
def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _base(packages: int, version: str = "1-1") -> Iterator[Piece]:
    status = "".join(_PARAGRAPH % (f"package-{n}", "1-1") for n in range(1, packages))
    yield Piece("etc/os-release", start=shop.RELEASE.encode())
    yield Piece(
        "var/lib/dpkg/status", start=(status + _PARAGRAPH % ("package-0", version)).encode()
    )


def large() -> Streamed:
    """5 GB over a base: files of 1 GB, many small ones, programs, packages."""

    def data() -> Iterator[Piece]:
        yield from (Piece(f"srv/data/part-{n}", 1024 * MIB) for n in range(2))

    def small() -> Iterator[Piece]:
        yield from (Piece(f"srv/www/{n % 97}/{n}.bin", 4096 * (n % 3)) for n in range(20_000))
        yield Piece("srv/www/last", 960 * MIB)

    def programs() -> Iterator[Piece]:
        yield from (Piece(f"usr/bin/{n}", 4 * MIB, _PROGRAM, 0o755) for n in range(32))
        yield Piece("usr/bin/largest", 256 * MIB, _PROGRAM, 0o755)
        yield Piece("opt/data", 700 * MIB)

    def modules() -> Iterator[Piece]:
        for n in range(2_000):
            package = b'{"name":"m%d","version":"1.0.0"}' % n
            yield Piece(f"app/node_modules/m{n}/package.json", start=package)
        yield Piece("app/model", 1024 * MIB)

    made = (layer(each, seed) for seed, each in enumerate((data, small, programs, modules)))
    return Streamed((layer(lambda: _base(300)), *made))


def layers() -> Streamed:
    """10,000 layers; each tenth has the whole database of packages again, with one changed."""
    changed = [layer(lambda n=n: _base(100, f"1-{n}")) for n in range(50)]  # type: ignore[misc]
    other = [
        layer(lambda n=n: iter((Piece(f"srv/{n}", 100),)))  # type: ignore[misc]
        for n in range(100)
    ]
    order = [other[n % 100] if n % 10 else changed[n // 10 % 50] for n in range(10_000)]
    return Streamed(order)


def one(path: Path) -> Streamed:
    """One layer that lies on the disk."""

    def blob() -> Iterator[bytes]:
        with path.open("rb") as file:
            while part := file.read(1 << 17):
                yield part

    return Streamed((blob,))


class Took(NamedTuple):
    """What a scan took, in a process of its own."""

    memory: float  # MiB at its peak, Python and imports included
    files: int
    packages: dict[str, int]  # by type
    bytes_read: int
    size: int  # of all layers
    asked: int  # blobs
    unread: list[str]


def scanned(which: str, *arguments: str, timeout: float = 120) -> Took:
    """Scans an image of this module in a fresh process."""
    command = (sys.executable, "-m", __name__, which, *arguments)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, cwd=_ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return Took(*json.loads(done.stdout))


def _scan(image: Streamed) -> Took:
    from martello.practices.images.scan import scan_image

    inventory = scan_image(image.image, image, name="x")
    # Of this program alone: what getrusage says, a child inherits from its parent.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    packages = dict(Counter(package.type for package in inventory.packages))
    unread = [str(one) for one in inventory.unread]
    return Took(
        peak,
        inventory.files,
        packages,
        inventory.bytes_read,
        image.size,
        len(image.asked),
        unread,
    )


if __name__ == "__main__":
    kinds: dict[str, Callable[..., Streamed]] = {"large": large, "layers": layers}
    which, *rest = sys.argv[1:]
    print(json.dumps(_scan(one(Path(rest[0])) if rest else kinds[which]())))
