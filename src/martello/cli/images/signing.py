"""Signatures and attestations: made with a key, put beside an image, read back from there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from martello import __version__
from martello.adapters.registry.client import Registry
from martello.cli.images.flow import read_file
from martello.core.artifact import Descriptor, Manifest, read_blob
from martello.core.artifact import parse_manifest as parse
from martello.core.errors import BadInput
from martello.core.secret import Secret
from martello.practices.images.attest import dsse, intoto, simple
from martello.practices.images.attest.artifacts import (
    Artifact,
    Push,
    attestation,
    attestation_tag,
    found_in,
    referrer,
    signature,
    signature_tag,
)
from martello.practices.images.attest.bundle import bundle
from martello.practices.images.attest.keys import PrivateKey, PublicKey, private_key, public_keys

LARGEST: Final = 64 << 20  # bytes of one attestation
# the variables that hold the password of a key
_VARIABLES: Final = ("MARTELLO_KEY_PASSWORD", "COSIGN_PASSWORD")


def signing_key(file: str) -> PrivateKey:
    """The private key of a file; its password comes from MARTELLO_KEY_PASSWORD, or COSIGN_PASSWORD.
    Raises BadInput.
    """
    given = (os.environ[name] for name in _VARIABLES if name in os.environ)
    return private_key(read_file(file, 1 << 20), file, Secret(next(given, "")))


def verifying_keys(files: Sequence[str]) -> tuple[PublicKey, ...]:
    """The public keys of files. Raises BadInput."""
    return tuple(key for file in files for key in public_keys(read_file(file, 1 << 20), file))


def sign(registry: Registry, digest: str, key: PrivateKey) -> bool:
    """Signs a digest: cosign's tag. False where the same signature was there already."""
    existing = _existing(registry, signature_tag(digest))
    payload = simple.payload(digest, registry.image.name, {"creator": f"martello {__version__}"})
    push = signature(digest, payload, key.sign(payload), key.public, existing)
    if push is None:
        return False
    _put(registry, push)
    return True


def attest(
    registry: Registry,
    subject: Descriptor,
    type: str,
    predicate: Any,
    key: PrivateKey,
    at: datetime,
) -> None:
    """Attests something of an image: in cosign's tag, and as a referrer in a Sigstore bundle. An
    older attestation of the same type and key gives way.
    """
    uri = intoto.predicate_type(type)
    statement = intoto.statement(subject.digest, registry.image.name, uri, predicate)
    envelope = dsse.sign(statement, key)
    existing = _existing(registry, attestation_tag(subject.digest))
    older = _older(registry, existing, uri, key.public)
    push = attestation(subject.digest, envelope, uri, existing, older)
    if push is not None:
        _put(registry, push)
    _put(registry, referrer(subject, bundle(envelope, key.public.hint), uri, at))


def attached(registry: Registry, digest: str) -> tuple[Artifact, ...]:
    """All signatures and attestations beside a digest, unverified; what could not be read is one of
    kind `unread`.
    """
    found = registry.attached(digest)
    artifacts: list[Artifact] = []
    for one in found.found:
        manifest = one.manifest
        if isinstance(manifest, Manifest):
            artifacts += found_in(
                manifest, lambda blob: read_blob(registry, blob, LARGEST), one.how
            )
    artifacts += [Artifact("unread", b"", where, why=why) for where, why in found.unread]
    return tuple(artifacts)


def _older(
    registry: Registry, existing: Manifest | None, uri: str, key: PublicKey
) -> tuple[str, ...]:
    """The blobs of a manifest that this key attested the same with before."""
    if existing is None:
        return ()
    older: list[str] = []
    for one in found_in(existing, lambda blob: read_blob(registry, blob, LARGEST), ""):
        try:
            envelope = dsse.parse(one.content)
            statement = intoto.parse_statement(envelope.payload)
        except dsse.Malformed:
            continue
        if dsse.signers(envelope, [key]) and intoto.same_type(statement.type, uri):
            older.append(one.digest)
    return tuple(older)


def _existing(registry: Registry, tag: str) -> Manifest | None:
    if registry.head(tag) is None:
        return None
    raw, media = registry.manifest(tag)
    found = parse(raw, media, f"{registry.where}:{tag}")
    if not isinstance(found, Manifest):
        raise BadInput(f"cannot add to {registry.where}:{tag}", "it is an index", "delete the tag")
    return found


def _put(registry: Registry, push: Push) -> None:
    for blob in push.blobs:
        registry.upload_bytes(blob.content)
    registry.put(push.manifest, push.media, tag=push.tag)
