"""What registries, layouts and archives hold: blobs, described by manifests and indexes.

Source: the OCI image specification 1.1 and Docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from martello.core import plain_json
from martello.core.errors import BadInput, Refused

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
INDEXES: Final = frozenset((OCI_INDEX, DOCKER_INDEX))
MANIFESTS: Final = frozenset((OCI_MANIFEST, DOCKER_MANIFEST))
LARGEST_MANIFEST: Final = 4 << 20  # bytes; what registries themselves take at most
_HEX: Final = {"sha256": 64, "sha512": 128}


class Platform(msgspec.Struct, frozen=True):
    """The machine that an image is made for: `linux/amd64`, `linux/arm/v7`."""

    os: str = ""
    architecture: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True):
    """A blob as something else describes it: its type, digest and size in bytes."""

    media: str
    digest: str
    size: int
    annotations: Mapping[str, str] = {}
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    artifact: str = ""  # artifactType


class Manifest(msgspec.Struct, frozen=True):
    """One image or artefact: its configuration and its layers, lowest first."""

    raw: bytes
    media: str
    digest: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact: str = ""
    annotations: Mapping[str, str] = {}


class Index(msgspec.Struct, frozen=True):
    """Several images under one name, one for each platform."""

    raw: bytes
    media: str
    digest: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact: str = ""
    annotations: Mapping[str, str] = {}


class Repository(Protocol):
    """A place that holds images: a registry's repository, a layout, an archive."""

    @property
    def where(self) -> str:
        """The place as a person would name it, without credentials."""
        ...

    def manifest(self, reference: str) -> tuple[bytes, str]:
        """The bytes of a manifest or index by tag or digest, and its media type (may be empty).
        Raises Unreachable, NotPermitted, BadInput (not there) and, for bytes of another digest,
        Refused.
        """
        ...

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """The bytes of a blob, a part at a time, as they lie there: the reader checks the digest.
        Raises as above.
        """
        ...


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """`sha256:…` of bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def parse_digest(text: str) -> str:
    """The digest itself where it is one. Raises BadInput for another algorithm or length."""
    algorithm, _, digits = text.partition(":")
    length = _HEX.get(algorithm)
    if length is None:
        raise BadInput(f"no usable digest: {text[:90]}", "it is neither sha256 nor sha512")
    if len(digits) != length or not re.fullmatch(r"[0-9a-f]+", digits):
        raise BadInput(f"no usable digest: {text[:90]}", f"{algorithm} has {length} hex digits")
    return text


def verified(content: bytes, digest: str, where: str) -> bytes:
    """The bytes, if they are what the digest promises. Raises Refused."""
    found = digest_of(content, parse_digest(digest).partition(":")[0])
    if found != digest:
        raise Refused(f"{where} does not hold what it promises", f"{digest} is really {found}")
    return content


def read_blob(place: Repository, descriptor: Descriptor, largest: int) -> bytes:
    """A small blob, whole and verified. Raises BadInput where it is larger, Refused where its
    digest is another; of the size that is stated nothing depends.
    """
    parts: list[bytes] = []
    size = 0
    for part in place.blob(descriptor):
        size += len(part)
        if size > largest:
            why = f"it is larger than {largest >> 20} MiB"
            raise BadInput(f"cannot read {descriptor.digest} of {place.where}", why)
        parts.append(part)
    return verified(b"".join(parts), descriptor.digest, place.where)


def parse_manifest(raw: bytes, media: str = "", where: str = "manifest") -> Manifest | Index:
    """Reads a manifest or an index; what its own `mediaType` says wins over `media`. Raises
    BadInput for what is neither, for schema 1, and for anything malformed; Refused for what could
    be read in two ways.
    """
    if len(raw) > LARGEST_MANIFEST:
        raise BadInput(f"cannot read {where}", f"it is larger than {LARGEST_MANIFEST >> 20} MiB")
    body = plain_json.read(raw, plain_json.MANIFEST, where)
    if not isinstance(body, dict):
        raise BadInput(f"cannot read {where}", "it is no JSON object")
    if body.get("schemaVersion") == 1 or "fsLayers" in body:
        raise BadInput(
            f"cannot read {where}",
            "it is of schema 1, which names no configuration and cannot be verified",
            "push the image again with a current tool",
        )
    kind = _string(body, "mediaType", where) or media.partition(";")[0].strip()
    digest = digest_of(raw)
    subject = body.get("subject")
    attached = _descriptor(subject, where) if subject is not None else None
    artifact = _string(body, "artifactType", where)
    notes = _texts(body.get("annotations"), where)
    is_index = kind in INDEXES or (kind not in MANIFESTS and "manifests" in body)
    if is_index and "layers" not in body and "config" not in body:
        listed = _descriptors(body.get("manifests"), where)
        media = kind or OCI_INDEX
        return Index(raw, media, digest, listed, attached, artifact, notes)
    if is_index or "config" not in body or "manifests" in body:
        raise BadInput(f"cannot read {where}", "it is neither an image manifest nor an index")
    config = _descriptor(body["config"], where)
    layers = _descriptors(body.get("layers", []), where)
    media = kind or OCI_MANIFEST
    return Manifest(raw, media, digest, config, layers, attached, artifact, notes)


def _descriptors(value: Any, where: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise BadInput(f"cannot read {where}", "it lists no descriptors")
    return tuple(_descriptor(entry, where) for entry in value)


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise BadInput(f"cannot read {where}", "one of its descriptors is no mapping")
    size = value.get("size")
    if type(size) is not int or size < 0:
        raise BadInput(f"cannot read {where}", "one of its descriptors has no size")
    urls = value.get("urls") or []
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise BadInput(f"cannot read {where}", "the urls of a descriptor are no texts")
    return Descriptor(
        media=_string(value, "mediaType", where),
        digest=parse_digest(_string(value, "digest", where)),
        size=size,
        annotations=_texts(value.get("annotations"), where),
        platform=_platform(value.get("platform"), where),
        urls=tuple(urls),
        artifact=_string(value, "artifactType", where),
    )


def _platform(value: Any, where: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadInput(f"cannot read {where}", "a platform is no mapping")
    parts = (_string(value, key, where) for key in ("os", "architecture", "variant"))
    return Platform(*parts)


def _string(value: Mapping[str, Any], key: str, where: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str):
        raise BadInput(f"cannot read {where}", f"its {key} is no text")
    return found


def _texts(value: Any, where: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise BadInput(f"cannot read {where}", "its annotations are no mapping of texts")
    return value
