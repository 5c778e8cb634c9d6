"""Signatures and attestations: made with a key, put beside an image, read back from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from martello import __version__
from martello.adapters.registry.client import Registry
from martello.adapters.registry.referrers import Attached
from martello.cli.images.flow import read_file
from martello.core.artifact import Manifest, read_blob
from martello.core.artifact import parse_manifest as parse
from martello.core.errors import BadInput, Unreachable
from martello.core.secret import Secret
from martello.practices.images.attest import simple
from martello.practices.images.attest.artifacts import (
    Artifact,
    Push,
    found_in,
    signature,
    signature_tag,
)
from martello.practices.images.attest.keys import PrivateKey, PublicKey, private_key, public_keys

LARGEST: Final = 64 << 20  # bytes of one attestation
# the variables that hold the password of a key
_VARIABLES: Final = ("MARTELLO_KEY_PASSWORD", "COSIGN_PASSWORD")
_TRIES: Final = 6


def signing_key(file: str) -> PrivateKey:
    """The private key of a file; its password comes from MARTELLO_KEY_PASSWORD, or COSIGN_PASSWORD.
    Raises BadInput.
    """
    return private_key(read_file(file, 1 << 20), file, key_password())


def key_password() -> Secret:
    """The password of keys, from the environment; empty where none is given."""
    given = (os.environ[name] for name in _VARIABLES if name in os.environ)
    return Secret(next(given, ""))


def verifying_keys(files: Sequence[str]) -> tuple[PublicKey, ...]:
    """The public keys of files. Raises BadInput."""
    return tuple(key for file in files for key in public_keys(read_file(file, 1 << 20), file))


def sign(registry: Registry, digest: str, key: PrivateKey) -> bool:
    """Signs a digest: cosign's tag. False where this key had signed it already. Raises Unreachable
    where others write that tag at the same time.
    """
    payload = simple.payload(digest, registry.image.name, {"creator": f"martello {__version__}"})
    signed = key.sign(payload)

    def added(existing: Manifest | None) -> Push | None:
        return signature(digest, payload, signed, key.public, existing)

    return merge(registry, signature_tag(digest), added)


def attached(registry: Registry, digest: str) -> tuple[Artifact, ...]:
    """All signatures and attestations beside a digest, unverified; what could not be read is one of
    kind `unread`.
    """
    return artifacts_of(registry, registry.attached(digest))


def artifacts_of(registry: Registry, found: Attached) -> tuple[Artifact, ...]:
    """The signatures and attestations in what is attached, as `attached` gives them."""
    artifacts: list[Artifact] = []
    for one in found.found:
        if isinstance(one.manifest, Manifest):
            artifacts += contents(registry, one.manifest, one.how)
    artifacts += [Artifact("unread", b"", where, why=why) for where, why in found.unread]
    return tuple(artifacts)


def contents(registry: Registry, manifest: Manifest, where: str) -> tuple[Artifact, ...]:
    """The signatures and attestations in one manifest."""
    return found_in(manifest, lambda blob: read_blob(registry, blob, LARGEST), where)


def merge(registry: Registry, tag: str, added: Callable[[Manifest | None], Push | None]) -> bool:
    """Changes what a tag holds, and reads again until nothing is left to add: others may write it
    at the same time. `added` makes the new manifest of the old one; None where nothing lacks. False
    where nothing was written.
    """
    for attempt in range(_TRIES):
        existing = _existing(registry, tag)
        push = added(existing)
        if push is None:
            return attempt > 0
        for blob in push.blobs:
            registry.upload_bytes(blob.content)
        registry.put(push.manifest, push.media, tag=tag)
        if existing is not None and existing.digest != push.digest:
            registry.discard(existing.digest, tag)
    why = f"others write that tag at the same time, {_TRIES} times"
    raise Unreachable(f"cannot add to {registry.where}:{tag}", why, "try again")


def _existing(registry: Registry, tag: str) -> Manifest | None:
    held = registry.held(tag)
    if held is None:
        return None
    found = parse(*held, f"{registry.where}:{tag}")
    if not isinstance(found, Manifest):
        raise BadInput(f"cannot add to {registry.where}:{tag}", "it is an index", "delete the tag")
    return found
