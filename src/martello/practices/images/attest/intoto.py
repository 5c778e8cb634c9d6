"""In-toto statements: a predicate said of subjects, which are named by digest.

Source: in-toto attestation framework, Statement v0.1 and v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.practices.images.attest.dsse import Malformed

V01: Final = "https://in-toto.io/Statement/v0.1"
V1: Final = "https://in-toto.io/Statement/v1"
SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"  # a signature, said as a statement
VULN: Final = "https://cosign.sigstore.dev/attestation/vuln/v1"
CYCLONEDX: Final = "https://cyclonedx.org/bom"
SPDX: Final = "https://spdx.dev/Document"
VERDICT: Final = "https://martello.dev/attestation/verdict/v1"
# cosign's words for `--type`, and one of our own
TYPES: Final = {
    "vuln": VULN,
    "cyclonedx": CYCLONEDX,
    "spdx": SPDX,
    "spdxjson": SPDX,
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "link": "https://in-toto.io/Link/v1",
    "openvex": "https://openvex.dev/ns",
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "verdict": VERDICT,
}
_LARGEST_LIST: Final = 10_000


class Subject(msgspec.Struct, frozen=True):
    """What is spoken of: digests by algorithm, without prefix."""

    digest: Mapping[str, str]
    name: str | None = ""


class Statement(msgspec.Struct, frozen=True):
    """A statement as read. The predicate is JSON, not looked into."""

    version: str
    type: str
    subjects: tuple[Subject, ...]
    predicate: msgspec.Raw


class _Wire(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: msgspec.Raw = msgspec.Raw(b"null")


def predicate_type(name: str) -> str:
    """The URI of a type: `vuln`, `cyclonedx`, …, or the URI itself. Raises BadInput."""
    if name in TYPES:
        return TYPES[name]
    if "://" in name and not any(c.isspace() for c in name):
        return name
    known = ", ".join(TYPES)
    raise BadInput(f"no type of attestations: {name[:60]}", f"it is neither a URI nor of {known}")


def same_type(found: str, wanted: str) -> bool:
    """Whether a predicate is of the wanted type: equal, or a version of it (`…/bom/v1.6` is a
    `…/bom`), or written without scheme as in cosign's own document.
    """
    if found == wanted or (wanted == VULN and f"https://{found}" == VULN):
        return True
    return wanted in (CYCLONEDX, SPDX) and found.startswith(f"{wanted}/v")


def statement(digest: str, name: str, type: str, predicate: Any, version: str = V01) -> bytes:
    """A statement of one subject as JSON. cosign writes v0.1 into attestations."""
    algorithm, _, digits = digest.partition(":")
    body = {
        "_type": version,
        "predicateType": type,
        "subject": [{"name": name, "digest": {algorithm: digits}}],
        "predicate": predicate,
    }
    return msgspec.json.encode(body)


def signed(digest: str, name: str) -> bytes:
    """What cosign 3 signs instead of a payload of its own, for a bundle beside the image."""
    return statement(digest, name, SIGNED, {}, V1)


def parse_statement(payload: bytes) -> Statement:
    """Reads a statement. Raises Malformed."""
    try:
        wire = msgspec.json.decode(payload, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("the payload is no in-toto statement") from None
    if wire.type not in (V01, V1):
        raise Malformed(f"the payload is a {wire.type[:80]}, no in-toto statement")
    if not 0 < len(wire.subject) <= _LARGEST_LIST:
        raise Malformed("the statement names no subject")
    return Statement(wire.type, wire.predicate_type, wire.subject, wire.predicate)


def names(statement: Statement, digest: str) -> tuple[str, ...] | None:
    """The names under which the statement speaks of a digest; None where it does not. A subject
    with several digests must have this one under its own algorithm.
    """
    algorithm, _, digits = digest.partition(":")
    found = [s.name or "" for s in statement.subjects if s.digest.get(algorithm) == digits]
    return tuple(found) if found else None
