"""Sigstore bundles that a key signed: a DSSE envelope or a plain signature, with a hint at the key.

Source: sigstore/protobuf-specs, sigstore_bundle.proto; cosign's bundle specification. Bundles of
certificates (keyless) are recognised, and not verified here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.practices.images.attest.dsse import LARGEST, Envelope, Malformed, decoded, parse

MEDIA: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_OLDER: Final = "application/vnd.dev.sigstore.bundle+json;version="
_VERSIONS: Final = frozenset((MEDIA, *(f"{_OLDER}{v}" for v in ("0.1", "0.2", "0.3"))))
_NOTHING: Final = msgspec.Raw(b"null")


class Bundle(msgspec.Struct, frozen=True):
    """A bundle as read. Either an envelope or a plain signature over an artefact."""

    hint: str
    keyless: bool  # a certificate vouches for the key
    envelope: Envelope | None = None
    signature: bytes = b""


class _Key(msgspec.Struct, frozen=True):
    hint: str = ""


class _Material(msgspec.Struct, frozen=True, rename="camel"):
    public_key: _Key | None = None
    certificate: msgspec.Raw = _NOTHING
    x509_certificate_chain: msgspec.Raw = _NOTHING


class _Message(msgspec.Struct, frozen=True):
    signature: str


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: msgspec.Raw = _NOTHING
    message_signature: _Message | None = None


def is_bundle(media: str) -> bool:
    """Whether a media type is that of a Sigstore bundle, of any version."""
    return media.startswith("application/vnd.dev.sigstore.bundle")


def bundle(envelope: bytes, hint: str) -> bytes:
    """A bundle v0.3 around an envelope, without entry of a transparency log."""
    body: dict[str, Any] = {
        "mediaType": MEDIA,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": msgspec.Raw(envelope),
    }
    return msgspec.json.encode(body)


def parse_bundle(raw: bytes) -> Bundle:
    """Reads a bundle of version 0.1 to 0.3. Raises Malformed."""
    if len(raw) > LARGEST:
        raise Malformed(f"the bundle is larger than {LARGEST >> 20} MiB")
    try:
        wire = msgspec.json.decode(raw, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("it is no Sigstore bundle") from None
    if wire.media_type.replace(" ", "") not in _VERSIONS:
        raise Malformed(f"the bundle is of an unknown version: {wire.media_type[:80]}")
    material = wire.verification_material
    keyless = _given(material.certificate) or _given(material.x509_certificate_chain)
    hint = material.public_key.hint if material.public_key else ""
    if _given(wire.dsse_envelope) == (wire.message_signature is not None):
        raise Malformed("the bundle has not exactly one content")
    if _given(wire.dsse_envelope):
        return Bundle(hint, keyless, parse(bytes(wire.dsse_envelope)))
    assert wire.message_signature is not None
    return Bundle(hint, keyless, signature=decoded(wire.message_signature.signature))


def _given(raw: msgspec.Raw) -> bool:
    return bytes(raw) != b"null"
