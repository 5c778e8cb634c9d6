"""Images made in memory: layers, configurations, manifests, indexes, layouts, docker archives.

Everything is deterministic: the same arguments give the same bytes. Nothing here uses the readers
that it is meant to test: archives come from the standard library's tarfile.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from martello.adapters.zstd import zstd
from martello.core import artifact
from martello.core.artifact import Descriptor, Index, Manifest, Platform
from martello.core.errors import BadInput

Compression = Literal["gzip", "zstd", "plain"]
MADE = "2024-01-02T03:04:05Z"


class File(NamedTuple):
    """A file whose mode matters; plain bytes or text are a file of mode 0644."""

    content: bytes
    mode: int = 0o755


class Link(NamedTuple):
    """A symbolic link, its target as written."""

    target: str


class Hard(NamedTuple):
    """A hard link to an earlier entry."""

    target: str


class Directory(NamedTuple):
    """A directory entry."""

    mode: int = 0o755


class Device(NamedTuple):
    """A character device, or a FIFO."""

    major: int = 1
    minor: int = 3
    fifo: bool = False


Content = bytes | str | File | Link | Hard | Directory | Device
Entries = Mapping[str, Content] | Iterable[tuple[str, Content]]


def tar(entries: Entries, form: int = tarfile.PAX_FORMAT) -> bytes:
    """An uncompressed archive. Pairs instead of a mapping allow a path twice; a path that ends
    with a slash, or has Directory for content, is a directory. No parents are added.
    """
    pairs = entries.items() if isinstance(entries, Mapping) else entries
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for path, content in pairs:
            info, data = _member(path, content)
            archive.addfile(info, io.BytesIO(data) if data else None)
    return buffer.getvalue()


def _member(path: str, content: Content) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(path)
    data = b""
    match content:
        case Link(target):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        case Hard(target):
            info.type, info.linkname = tarfile.LNKTYPE, target
        case Directory(mode):
            info.type, info.mode = tarfile.DIRTYPE, mode
        case Device(major, minor, fifo):
            info.type = tarfile.FIFOTYPE if fifo else tarfile.CHRTYPE
            info.devmajor, info.devminor = major, minor
        case File(data, mode):
            info.mode = mode
        case str():
            data = content.encode()
        case _:
            data = content
    if path.endswith("/") and not data:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    info.size = len(data)
    return info, data


def compressed(content: bytes, how: Compression = "gzip") -> bytes:
    """The bytes as a registry would hold them."""
    if how == "gzip":
        return gzip.compress(content, compresslevel=6, mtime=0)
    if how == "zstd":
        return zstd.compress(content, 3)
    return content


def layer(entries: Entries, compression: Compression = "gzip") -> bytes:
    """One layer, as a blob."""
    return compressed(tar(entries), compression)


def uncompressed(blob: bytes) -> bytes:
    """The archive within a layer's blob."""
    if blob[:2] == b"\x1f\x8b":
        return zlib.decompress(blob, wbits=31)
    if blob[:4] == b"\x28\xb5\x2f\xfd":
        return zstd.decompress(blob)
    return blob


def digest(content: bytes) -> str:
    """`sha256:…`"""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Image(NamedTuple):
    """An image (or an index) with every blob that it needs, by digest, its own bytes included."""

    manifest: Manifest | Index
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Of the manifest or index."""
        return self.manifest.digest

    @property
    def image(self) -> Manifest:
        """The manifest, where this is no index."""
        assert isinstance(self.manifest, Manifest)
        return self.manifest

    def descriptor(self, **annotations: str) -> dict[str, Any]:
        """As an index names it."""
        found: dict[str, Any] = {
            "mediaType": self.manifest.media,
            "digest": self.digest,
            "size": len(self.manifest.raw),
        }
        if isinstance(self.manifest, Manifest):
            config = json.loads(self.blobs[self.manifest.config.digest])
            keys = ("os", "architecture", "variant")
            if "os" in config:
                found["platform"] = {key: config[key] for key in keys if config.get(key)}
        if annotations:
            found["annotations"] = annotations
        return found


def image(
    *layers: bytes,
    config: Mapping[str, Any] | None = None,
    history: Sequence[str] = (),
    platform: str = "linux/amd64",
    created: str = MADE,
    annotations: Mapping[str, str] | None = None,
    docker: bool = False,
    subject: Mapping[str, Any] | None = None,
) -> Image:
    """An image of these layers, lowest first. `config` is the inner one (User, Env, Labels …);
    `history` says what made each layer. With `docker` its media types are Docker's.
    """
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    steps = [history[i] if i < len(history) else f"layer {i}" for i in range(len(layers))]
    body: dict[str, Any] = {"architecture": architecture, "os": system, "created": created}
    if variant:
        body["variant"] = variant
    body["config"] = dict(config or {})
    body["rootfs"] = {"type": "layers", "diff_ids": [digest(uncompressed(b)) for b in layers]}
    body["history"] = [{"created": created, "created_by": step} for step in steps]
    raw_config = json.dumps(body, separators=(",", ":")).encode()
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": artifact.DOCKER_MANIFEST if docker else artifact.OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json"
            if docker
            else artifact.OCI_CONFIG,
            "digest": digest(raw_config),
            "size": len(raw_config),
        },
        "layers": [
            {"mediaType": _media(blob, docker), "digest": digest(blob), "size": len(blob)}
            for blob in layers
        ],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    if subject:
        manifest["subject"] = dict(subject)
    raw = json.dumps(manifest, separators=(",", ":")).encode()
    parsed = artifact.parse_manifest(raw)
    return Image(parsed, {digest(b): b for b in (*layers, raw_config, raw)})


def _media(blob: bytes, docker: bool) -> str:
    kind = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}.get(blob[:2], "")
    if docker:
        base = "application/vnd.docker.image.rootfs.diff.tar"
        return f"{base}.{kind}" if kind else base
    return f"{artifact.OCI_LAYER}+{kind}" if kind else artifact.OCI_LAYER


def index(*images: Image, annotations: Mapping[str, str] | None = None) -> Image:
    """An index over images of several platforms, with all their blobs."""
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": artifact.OCI_INDEX}
    body["manifests"] = [one.descriptor() for one in images]
    if annotations:
        body["annotations"] = dict(annotations)
    raw = json.dumps(body, separators=(",", ":")).encode()
    blobs = {name: blob for one in images for name, blob in one.blobs.items()}
    return Image(artifact.parse_manifest(raw), {**blobs, digest(raw): raw})


def write_layout(directory: Path, images: Mapping[str, Image]) -> Path:
    """An OCI layout with these images by tag; a tag that is empty is not written."""
    folder = directory / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for tag, one in images.items():
        listed.append(one.descriptor(**({"org.opencontainers.image.ref.name": tag} if tag else {})))
        for name, blob in one.blobs.items():
            (folder / name.partition(":")[2]).write_bytes(blob)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    body = {"schemaVersion": 2, "mediaType": artifact.OCI_INDEX, "manifests": listed}
    (directory / "index.json").write_text(json.dumps(body))
    return directory


def docker_archive(images: Mapping[str, Image], *, old: bool = True) -> bytes:
    """What `docker save` writes, layers uncompressed: until version 24 (`old`: a directory with
    `layer.tar` for each layer), or since 25 (`blobs/sha256`). A tag that is empty is not written.
    """
    members: dict[str, Content] = {}
    listed = []
    for tag, one in images.items():
        config = one.image.config.digest.partition(":")[2]
        name = f"{config}.json" if old else f"blobs/sha256/{config}"
        members[name] = one.blobs[one.image.config.digest]
        layers = []
        for found in one.image.layers:
            content = uncompressed(one.blobs[found.digest])
            diff = digest(content).partition(":")[2]
            layers.append(f"{diff}/layer.tar" if old else f"blobs/sha256/{diff}")
            members[layers[-1]] = content
        listed.append({"Config": name, "RepoTags": [tag] if tag else None, "Layers": layers})
    if not old:
        members["oci-layout"] = '{"imageLayoutVersion":"1.0.0"}'
    members["manifest.json"] = json.dumps(listed)
    return tar(members, tarfile.GNU_FORMAT if old else tarfile.PAX_FORMAT)


class Memory:
    """A repository in memory. It counts what was read: `asked` holds the digests of blobs."""

    def __init__(self, images: Mapping[str, Image], where: str = "memory", part: int = 1 << 16):
        self.where = where
        self.tags = {tag: one.digest for tag, one in images.items()}
        self.blobs = {name: blob for one in images.values() for name, blob in one.blobs.items()}
        self.asked: list[str] = []
        self._part = part

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """By tag or digest."""
        raw = self.blobs.get(self.tags.get(reference, reference))
        if raw is None:
            raise BadInput(f"no {reference} in {self.where}")
        media = json.loads(raw).get("mediaType", "")
        return raw, str(media)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """A part at a time."""
        self.asked.append(descriptor.digest)
        content = self.blobs.get(descriptor.digest)
        if content is None:
            raise BadInput(f"no blob {descriptor.digest} in {self.where}")
        return (content[i : i + self._part] for i in range(0, len(content), self._part))


AMD64 = Platform("linux", "amd64")
