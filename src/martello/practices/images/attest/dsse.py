"""Dead simple signing envelopes: what is signed is the type and the very bytes of the payload.

Source: secure-systems-lab/dsse, protocol and envelope 1.0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from martello.practices.images.attest.keys import PrivateKey, PublicKey

MEDIA: Final = "application/vnd.dsse.envelope.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
LARGEST: Final = 64 << 20  # bytes of an envelope: the SBOM of a large image fits
_MOST: Final = 32  # signatures that are tried


class Malformed(ValueError):
    """Bytes are not the envelope, bundle, payload or statement that they should be."""


class Envelope(msgspec.Struct, frozen=True):
    """A payload as received, and who says to have signed it. Nothing is verified yet."""

    type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]  # hint at the key, signature


class _Signature(msgspec.Struct, frozen=True):
    sig: str
    keyid: str | None = ""


class _Wire(msgspec.Struct, frozen=True):
    payload_type: str = msgspec.field(name="payloadType")
    payload: str
    signatures: tuple[_Signature, ...]


def pae(type: str, payload: bytes) -> bytes:
    """The bytes that are signed (pre-authentication encoding)."""
    kind = type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, key: PrivateKey, type: str = IN_TOTO) -> bytes:
    """The envelope of a payload, as JSON. The key is not named in it, as cosign does it."""
    signature = base64.b64encode(key.sign(pae(type, payload))).decode()
    wire = _Wire(type, base64.b64encode(payload).decode(), (_Signature(signature),))
    return msgspec.json.encode(wire)


def parse(raw: bytes) -> Envelope:
    """Reads an envelope. Raises Malformed."""
    if len(raw) > LARGEST:
        raise Malformed(f"the envelope is larger than {LARGEST >> 20} MiB")
    try:
        wire = msgspec.json.decode(raw, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("it is no DSSE envelope") from None
    signatures = tuple((s.keyid or "", decoded(s.sig)) for s in wire.signatures)
    if not 0 < len(signatures) <= _MOST:
        raise Malformed(f"the envelope has {len(signatures)} signatures")
    return Envelope(wire.payload_type, decoded(wire.payload), signatures)


def signers(envelope: Envelope, keys: Sequence[PublicKey]) -> tuple[PublicKey, ...]:
    """The keys that did sign it. The hints choose nothing: every key is tried."""
    message = pae(envelope.type, envelope.payload)
    return tuple(
        key for key in keys if any(key.verifies(sig, message) for _, sig in envelope.signatures)
    )


def decoded(text: str) -> bytes:
    """Base64, in the plain or the URL alphabet; both must be read. Raises Malformed."""
    plain = text.translate(_URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("it holds no base64 where it should") from None


_URL_SAFE: Final = str.maketrans("-_", "+/")
