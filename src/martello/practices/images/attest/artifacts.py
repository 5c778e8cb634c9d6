"""What is pushed beside an image: cosign's `.sig` and `.att` tags, and OCI 1.1 referrers.

Pure: manifests and blobs are made here, and sent by whoever asked. Sources: cosign's signature,
attestation and bundle specifications; the OCI image specification 1.1.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from martello.core.artifact import (
    EMPTY,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
)
from martello.core.errors import BadInput, Refused
from martello.practices.images.attest import bundle as bundles
from martello.practices.images.attest import dsse, simple
from martello.practices.images.attest.keys import PublicKey

PREDICATE_TYPE: Final = "predicateType"
_BUNDLE_TYPE: Final = "dev.sigstore.bundle.predicateType"
_BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
_CREATED: Final = "org.opencontainers.image.created"
_TITLE: Final = "org.opencontainers.image.title"
_NO_DATE: Final = "0001-01-01T00:00:00Z"
_MOST: Final = 1_000  # layers of an artefact that are looked at


class Blob(msgspec.Struct, frozen=True):
    """Bytes to upload, and their descriptor."""

    descriptor: Descriptor
    content: bytes


class Push(msgspec.Struct, frozen=True):
    """One artefact: blobs first, then the manifest by its digest, then the tag, if it has one."""

    manifest: bytes
    blobs: tuple[Blob, ...]
    media: str = OCI_MANIFEST
    tag: str = ""
    artifact: str = ""  # artifactType; with a subject the registry lists it as a referrer
    annotations: Mapping[str, str] = {}

    @property
    def digest(self) -> str:
        """Of the manifest."""
        return digest_of(self.manifest)


class Artifact(msgspec.Struct, frozen=True):
    """One signature or attestation as it was found. Nothing of it is verified."""

    kind: Literal["simple", "dsse", "bundle", "unread"]
    content: bytes
    where: str  # the tag or digest of the manifest that holds it
    digest: str = ""  # of the blob
    signature: str = ""  # base64, of a simple one
    keyless: bool = False  # a certificate vouches for the key
    why: str = ""  # it was not read


def signature_tag(digest: str) -> str:
    """Where cosign keeps the signatures of a digest."""
    return digest.replace(":", "-") + ".sig"


def attestation_tag(digest: str) -> str:
    """Where cosign keeps the attestations of a digest."""
    return digest.replace(":", "-") + ".att"


def signature(
    digest: str,
    payload: bytes,
    signed: bytes,
    key: PublicKey,
    existing: Manifest | Index | None = None,
) -> Push | None:
    """The `.sig` manifest with this signature added to those that are there; None where a signature
    of the same payload by the same key is there already.
    """
    layers = _layers(existing)
    found = digest_of(payload)
    for layer in layers:
        text = (layer.get("annotations") or {}).get(simple.SIGNATURE)
        if layer.get("digest") == found and isinstance(text, str) and _by(key, text, payload):
            return None
    notes = {simple.SIGNATURE: base64.b64encode(signed).decode()}
    added = Blob(Descriptor(simple.MEDIA, found, len(payload), notes), payload)
    return _tagged(signature_tag(digest), layers, added, existing)


def attestation(
    digest: str,
    envelope: bytes,
    type: str,
    existing: Manifest | Index | None = None,
    instead_of: Collection[str] = (),
) -> Push | None:
    """The `.att` manifest with this envelope added, and without the blobs that it replaces (an
    older one of the same key and type); None where the same envelope is there already.
    """
    layers = _layers(existing)
    found = digest_of(envelope)
    if any(layer.get("digest") == found for layer in layers):
        return None
    layers = [layer for layer in layers if layer.get("digest") not in instead_of]
    notes = {simple.SIGNATURE: "", PREDICATE_TYPE: type}
    added = Blob(Descriptor(dsse.MEDIA, found, len(envelope), notes), envelope)
    return _tagged(attestation_tag(digest), layers, added, existing)


def referrer(subject: Descriptor, bundle: bytes, type: str, at: datetime) -> Push:
    """The manifest that attaches a Sigstore bundle to an image by `subject`."""
    found = digest_of(bundle)
    title = {_TITLE: f"{found.replace(':', '-')}.sigstore.json"}
    blob = Blob(Descriptor(bundles.MEDIA, found, len(bundle), title), bundle)
    config = Blob(Descriptor(EMPTY, digest_of(b"{}"), 2), b"{}")
    notes = {
        _BUNDLE_CONTENT: "dsse-envelope",
        _BUNDLE_TYPE: type,
        _CREATED: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    body = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": bundles.MEDIA,
        "config": _wire(config.descriptor),
        "layers": [_wire(blob.descriptor)],
        "subject": {"mediaType": subject.media, "size": subject.size, "digest": subject.digest},
        "annotations": notes,
    }
    manifest = msgspec.json.encode(body)
    return Push(manifest, (config, blob), artifact=bundles.MEDIA, annotations=notes)


def found_in(
    manifest: Manifest, read: Callable[[Descriptor], bytes], where: str
) -> tuple[Artifact, ...]:
    """The signatures and attestations of one artefact, whatever its artifactType says. `read` gives
    a verified blob; what it refuses is told.
    """
    found: list[Artifact] = []
    for layer in manifest.layers[:_MOST]:
        kind = _kind(layer.media)
        if not kind:
            continue
        largest = simple.LARGEST if kind == "simple" else dsse.LARGEST
        why = "it is too large" if layer.size > largest else ""
        content = b""
        if not why:
            try:
                content = read(layer)
            except (BadInput, Refused) as error:
                why = error.why or error.what
        signed = layer.annotations.get(simple.SIGNATURE, "") if kind == "simple" else ""
        keyless = simple.CERTIFICATE in layer.annotations
        found.append(
            Artifact("unread" if why else kind, content, where, layer.digest, signed, keyless, why)
        )
    if len(manifest.layers) > _MOST:
        why = f"it has {len(manifest.layers)} layers: {_MOST} were looked at"
        found.append(Artifact("unread", b"", where, why=why))
    return tuple(found)


def _kind(media: str) -> Literal["simple", "dsse", "bundle", ""]:
    if media == simple.MEDIA:
        return "simple"
    if media in (dsse.MEDIA, dsse.IN_TOTO):
        return "dsse"
    return "bundle" if bundles.is_bundle(media) else ""


def _by(key: PublicKey, text: str, payload: bytes) -> bool:
    try:
        return key.verifies(dsse.decoded(text), payload)
    except dsse.Malformed:
        return False


def _layers(existing: Manifest | Index | None) -> list[dict[str, Any]]:
    """The layers of a manifest as they are written, with everything that we do not know."""
    if existing is None:
        return []
    if isinstance(existing, Index):
        raise BadInput(
            "cannot add to the signatures that are there", "the tag holds an index, no manifest"
        )
    return list(msgspec.json.decode(existing.raw).get("layers") or [])


def _tagged(
    tag: str, layers: Sequence[dict[str, Any]], added: Blob, existing: Manifest | Index | None
) -> Push:
    everything = [*layers, _wire(added.descriptor)]
    config = _config([layer["digest"] for layer in everything])
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    if existing is not None:
        body = {**msgspec.json.decode(existing.raw), **body}
    body["config"] = _wire(config.descriptor)
    body["layers"] = everything
    return Push(msgspec.json.encode(body), (config, added), tag=tag)


def _config(digests: Sequence[str]) -> Blob:
    """An image configuration, as cosign writes one; layers are not compressed."""
    body = {
        "architecture": "",
        "created": _NO_DATE,
        "history": [{"created": _NO_DATE} for _ in digests],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": list(digests)},
        "config": {},
    }
    content = msgspec.json.encode(body)
    return Blob(Descriptor(OCI_CONFIG, digest_of(content), len(content)), content)


def _wire(descriptor: Descriptor) -> dict[str, Any]:
    body: dict[str, Any] = {
        "mediaType": descriptor.media,
        "size": descriptor.size,
        "digest": descriptor.digest,
    }
    if descriptor.annotations:
        body["annotations"] = dict(descriptor.annotations)
    return body
