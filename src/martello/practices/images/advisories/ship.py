"""The advisory database as an OCI artefact (D2): a configuration and one zstd layer, so that one's
own registry hands it out. Pure: pushing and pulling are the caller's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from martello.adapters.whole import whole
from martello.adapters.zstd import BOUNDED, zstd
from martello.core.artifact import OCI_MANIFEST, Descriptor, Manifest, digest_of
from martello.core.errors import BadInput, Refused
from martello.practices.images.advisories.db import open_database
from martello.practices.images.advisories.rows import MAJOR

ARTIFACT: Final = "application/vnd.martello.advisories.v1"
CONFIG: Final = "application/vnd.martello.advisories.config.v1+json"
LAYER: Final = "application/vnd.martello.advisories.v1.sqlite+zstd"
LARGEST: Final = 8 << 30  # bytes of a database
LARGEST_CONFIG: Final = 4 << 20
_CHUNK: Final = 1 << 20
_LEVEL: Final = 10


class ShippedFeed(msgspec.Struct, frozen=True):
    """A feed as the configuration names it."""

    name: str
    revision: str
    time: str
    count: int


class Label(msgspec.Struct, frozen=True):
    """The configuration of the artefact: what its database is, without reading it."""

    schema: int
    digest: str  # of the database file
    size: int  # of the database file
    built: str
    feeds: tuple[ShippedFeed, ...]
    ecosystems: tuple[str, ...]


class Parcel(msgspec.Struct, frozen=True):
    """What to push: two blobs, then the manifest. The layer lies in a file."""

    manifest: bytes
    config: bytes
    config_descriptor: Descriptor
    layer: Path
    layer_descriptor: Descriptor


def pack(database: Path, layer: Path) -> Parcel:
    """Compresses a database into `layer` and describes it. Equal databases make equal parcels.
    Raises what `open_database` raises, and OSError.
    """
    with open_database(database) as opened:
        feeds = tuple(ShippedFeed(f.name, f.revision, f.time, f.count) for f in opened.feeds)
        label = Label(MAJOR, opened.digest, database.stat().st_size, opened.built, feeds,
                      opened.ecosystems())  # fmt: skip
    config = msgspec.json.encode(label)
    digest = hashlib.sha256()
    size = 0
    with database.open("rb") as source, whole(layer) as out:
        for part in _pressed(source, label.size):
            digest.update(part)
            size += len(part)
            out.write(part)
    described = Descriptor(CONFIG, digest_of(config), len(config))
    packed = Descriptor(LAYER, f"sha256:{digest.hexdigest()}", size)
    return Parcel(_manifest(described, packed, label), config, described, layer, packed)


def _pressed(source: BinaryIO, size: int) -> Iterator[bytes]:
    press = zstd.ZstdCompressor(level=_LEVEL)
    press.set_pledged_input_size(size)
    while part := source.read(_CHUNK):
        yield press.compress(part)
    yield press.flush()


def label_of(manifest: Manifest, config: bytes) -> Label:
    """What an artefact says it holds. Raises BadInput where it is another artefact or of a newer
    schema, Refused where the configuration is another one.
    """
    if manifest.artifact != ARTIFACT or len(manifest.layers) != 1:
        raise BadInput("no advisory database there", "the artefact is of another type")
    if digest_of(config) != manifest.config.digest:
        raise Refused("the configuration is not the manifest's", manifest.config.digest)
    try:
        label = msgspec.json.decode(config, type=Label)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("cannot read the advisory artefact", str(error)) from None
    if label.schema != MAJOR:
        why = f"it is of schema {label.schema}, and this version reads schema {MAJOR}"
        raise BadInput("cannot use the advisory artefact", why, "update martello")
    if not 0 < label.size <= LARGEST:
        raise BadInput("cannot use the advisory artefact", f"its size is {label.size} bytes")
    return label


def unpack(manifest: Manifest, label: Label, content: Iterator[bytes], out: Path) -> None:
    """Writes the database of an artefact to `out`, whole or not at all: both digests are checked,
    and no byte more than promised is taken. Raises Refused, BadInput, OSError.
    """
    layer = manifest.layers[0]
    packed = hashlib.sha256()
    plain = hashlib.sha256()
    size = taken = 0
    inflate = zstd.ZstdDecompressor(options=BOUNDED)
    with whole(out) as place:
        for part in content:
            taken += len(part)
            if taken > layer.size:
                raise Refused("the advisory layer is longer than promised", layer.digest)
            packed.update(part)
            for made in _inflated(inflate, part):
                size += len(made)
                if size > label.size:
                    raise Refused("the advisory database is longer than promised", label.digest)
                plain.update(made)
                place.write(made)
        if f"sha256:{packed.hexdigest()}" != layer.digest:
            raise Refused("the advisory layer is not what the manifest promises", layer.digest)
        if f"sha256:{plain.hexdigest()}" != label.digest:
            raise Refused("the advisory database is not what it says it is", label.digest)


def _inflated(inflate: zstd.ZstdDecompressor, part: bytes) -> Iterator[bytes]:
    """What comes out, a MiB at a time; what follows the frame is let go."""
    try:
        while not inflate.eof:
            yield inflate.decompress(part, _CHUNK)
            if inflate.needs_input:
                return
            part = b""
    except zstd.ZstdError as error:
        raise BadInput("cannot read the advisory layer", str(error)) from None


def _manifest(config: Descriptor, layer: Descriptor, label: Label) -> bytes:
    notes = {"org.opencontainers.image.created": label.built} if label.built else {}
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": ARTIFACT,
        "config": {"mediaType": config.media, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": layer.media, "digest": layer.digest, "size": layer.size}],
        "annotations": notes,
    }
    return msgspec.json.encode(body)
