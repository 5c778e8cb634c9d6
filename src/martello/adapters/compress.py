"""Layers compressed on their way into a registry: an image without a manifest of its own gets one.

Archives of `docker save` hold plain layers. The same layers give the same bytes: gzip is written
without time and name, at a level that stays. Everything goes into one temporary file.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, Literal, Self, cast

import msgspec

from martello.core.artifact import (
    OCI_LAYER,
    Descriptor,
    Manifest,
    Repository,
    digest_of,
    parse_digest,
    parse_manifest,
)
from martello.core.errors import BadInput, Refused

Method = Literal["gzip", "zstd"]
GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 3
_PART: Final = 1 << 20
_WITH_HEADER: Final = 31  # of zlib: a gzip header, which then has neither time nor name


class Compressed:
    """The repository of one image, its plain layers compressed. To be closed: a temporary file."""

    def __init__(self, place: Repository) -> None:
        self.where = place.where
        self._place = place
        self._made: dict[str, tuple[int, int]] = {}  # digest → where in the file, size
        self._raw: dict[str, tuple[bytes, str]] = {}
        self._file = cast(BinaryIO, tempfile.TemporaryFile(prefix="martello-"))  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the temporary file go."""
        self._file.close()

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """The manifest that was made, else what the place itself has."""
        return self._raw.get(reference) or self._place.manifest(reference)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A part at a time; layers as they were compressed."""
        made = self._made.get(descriptor.digest)
        return self._place.blob(descriptor) if made is None else self._kept(*made)

    def _kept(self, start: int, size: int) -> Iterator[bytes]:
        while size:
            self._file.seek(start)
            part = self._file.read(min(_PART, size))
            if not part:
                raise BadInput(f"cannot read {self.where}", "its temporary file was cut")
            start, size = start + len(part), size - len(part)
            yield part

    def compress(
        self, manifest: Manifest, method: Method, tell: Callable[[str], None] = lambda _: None
    ) -> Manifest:
        """The manifest with every plain layer compressed; itself where there is none. Raises
        Refused where a layer is not what its digest promises, BadInput where there is no room.
        """
        body: dict[str, Any] = msgspec.json.decode(manifest.raw)
        known: dict[str, Descriptor] = {}
        for number, layer in enumerate(manifest.layers):
            if layer.media != OCI_LAYER:
                continue
            tell(f"compressing layer {number + 1} of {len(manifest.layers)}")
            made = known.get(layer.digest) or self._compress(layer, method)
            known[layer.digest] = made
            body["layers"][number] |= {
                "mediaType": made.media,
                "digest": made.digest,
                "size": made.size,
            }
        if not known:
            return manifest
        raw = msgspec.json.encode(body, order="sorted")
        self._raw[digest_of(raw)] = raw, manifest.media
        found = parse_manifest(raw, manifest.media, f"the manifest of {self.where}")
        assert isinstance(found, Manifest)
        return found

    def _compress(self, layer: Descriptor, method: Method) -> Descriptor:
        given = hashlib.new(parse_digest(layer.digest).partition(":")[0])
        written = hashlib.sha256()
        start, size = self._file.seek(0, 2), 0
        try:
            for part in _pressed(self._measured(layer, given), method, layer.size):
                written.update(part)
                size += len(part)
                self._file.write(part)
            self._file.flush()
        except OSError as error:
            why = f"its layers are compressed in {tempfile.gettempdir()}: {error.strerror or error}"
            next = "make room there, name another TMPDIR, or --compress none"
            raise BadInput(f"cannot compress {self.where}", why, next) from error
        digest = f"sha256:{written.hexdigest()}"
        self._made[digest] = start, size
        return Descriptor(f"{OCI_LAYER}+{method}", digest, size)

    def _measured(self, layer: Descriptor, digest: hashlib._Hash) -> Iterator[bytes]:
        """The bytes of a layer, held to what its descriptor says."""
        size = 0
        for part in self._place.blob(layer):
            size += len(part)
            if size > layer.size:
                break
            digest.update(part)
            yield part
        found = f"{digest.name}:{digest.hexdigest()}"
        if size != layer.size or found != layer.digest:
            what = f"{self.where} does not hold what it promises"
            raise Refused(what, f"{layer.digest} is really {found}")


def _pressed(parts: Iterator[bytes], method: Method, size: int) -> Iterator[bytes]:
    if method == "gzip":
        deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _WITH_HEADER)
        for part in parts:
            yield deflate.compress(part)
        yield deflate.flush()
        return
    from martello.adapters.zstd import zstd

    press = zstd.ZstdCompressor(level=ZSTD_LEVEL)
    press.set_pledged_input_size(size)
    for part in parts:
        yield press.compress(part)
    yield press.flush()
