"""The payload of cosign's signatures: "simple signing", with the digest of the image inside.

Source: cosign's signature specification; containers-signature(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.core.artifact import parse_digest
from martello.core.errors import BadInput
from martello.practices.images.attest.dsse import Malformed

MEDIA: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE: Final = "dev.sigstore.cosign/certificate"
TYPE: Final = "cosign container image signature"
LARGEST: Final = 1 << 20


class Payload(msgspec.Struct, frozen=True):
    """What a signature says: which digest, under which name."""

    digest: str
    name: str


def payload(digest: str, name: str, claims: Mapping[str, str] | None = None) -> bytes:
    """The bytes to sign, as cosign writes them. `name` is registry and repository."""
    body = {
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": digest},
            "type": TYPE,
        },
        "optional": dict(sorted(claims.items())) if claims else None,
    }
    return msgspec.json.encode(body)


def parse_payload(raw: bytes) -> Payload:
    """Reads a payload. Raises Malformed."""
    if len(raw) > LARGEST:
        raise Malformed("the payload is too large")
    try:
        body = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("the payload is no JSON object") from None
    critical = _inner(body, "critical")
    if critical.get("type") not in (TYPE, "atomic container signature"):
        raise Malformed("the payload is no signature of a container image")
    digest = _inner(critical, "image").get("docker-manifest-digest")
    name = _inner(critical, "identity").get("docker-reference")
    if not isinstance(digest, str) or not isinstance(name, str):
        raise Malformed("the payload names no digest")
    try:
        return Payload(parse_digest(digest), name)
    except BadInput as error:
        raise Malformed(f"the payload names no digest: {error.why}") from None


def _inner(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = body.get(key)
    if not isinstance(found, dict):
        raise Malformed(f"the payload has no {key}")
    return found
