"""Attestations put beside an image: what was said is not said again, what is older gives way.

Each is kept twice, because verifiers look in two places: in cosign's `.att` tag, and as a referrer
in a Sigstore bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from martello.adapters.registry.client import Registry
from martello.adapters.registry.referrers import Attached
from martello.cli.images import signing
from martello.core.artifact import Descriptor, Manifest, digest_of, parse_manifest
from martello.core.errors import Unreachable
from martello.practices.images.attest import dsse, intoto
from martello.practices.images.attest.artifacts import (
    Artifact,
    Blob,
    Push,
    attestation,
    attestation_tag,
    referrer,
)
from martello.practices.images.attest.bundle import bundle, parse_bundle
from martello.practices.images.attest.keys import PrivateKey, PublicKey
from martello.practices.images.attest.predicates import made_at, undated
from martello.practices.images.attest.verify import Wanted, verify

FRESH: Final = timedelta(hours=1)  # what was said so recently, and says the same, is left
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class _Said(msgspec.Struct, frozen=True):
    """One attestation by our key, wherever it lies."""

    kind: str  # of the artefact: dsse, bundle
    content: bytes
    digest: str  # of the blob
    manifest: str  # digest of the manifest that holds it
    statement: intoto.Statement
    at: datetime


def attest(
    registry: Registry,
    subject: Descriptor,
    said: Sequence[tuple[str, Any]],
    key: PrivateKey,
    at: datetime,
) -> int:
    """Attests things of an image: pairs of a type and a predicate. How many of them are new. An
    older attestation of the same type by the same key gives way, where the registry deletes. Raises
    Unreachable where, in the end, not all of it can be read there.
    """
    earlier = tuple(
        _earlier(registry, registry.attached(subject.digest), subject.digest, key.public)
    )
    envelopes: list[tuple[str, bytes]] = []
    fresh = 0
    for type, predicate in said:
        uri = intoto.predicate_type(type)
        kept = _repeated(earlier, uri, predicate, registry.image.name, at)
        if not kept:
            fresh += 1
            statement = intoto.statement(subject.digest, registry.image.name, uri, predicate)
            kept = dsse.sign(statement, key)
        envelopes.append((uri, kept))
    _tagged(registry, subject.digest, envelopes, key.public)
    _referring(registry, subject, envelopes, earlier, key.public)
    _check(registry, subject.digest, [uri for uri, _ in envelopes], key.public, at)
    return fresh


def _tagged(
    registry: Registry, digest: str, envelopes: Sequence[tuple[str, bytes]], key: PublicKey
) -> None:
    """All of them in one manifest under cosign's tag, and none of the older ones."""

    def added(existing: Manifest | None) -> Push | None:
        there = [] if existing is None else list(_said(registry, existing, "", digest, key))
        held, blobs, last = existing, list[Blob](), None
        for uri, envelope in envelopes:
            mine = (_moment(envelope), digest_of(envelope))
            same = [one for one in there if intoto.same_type(one.statement.type, uri)]
            if any((one.at, one.digest) >= mine for one in same):
                continue  # ours, or that of a run beside this one
            before = tuple(one.digest for one in same)
            push = attestation(digest, envelope, uri, held, before)
            assert push is not None
            last = push
            blobs.append(push.blobs[1])
            found = parse_manifest(push.manifest, push.media)
            assert isinstance(found, Manifest)
            held = found
        if last is None:
            return None
        return msgspec.structs.replace(last, blobs=(*blobs, last.blobs[0]))

    signing.merge(registry, attestation_tag(digest), added)


def _moment(envelope: bytes) -> datetime:
    return made_at(intoto.parse_statement(dsse.parse(envelope).payload)) or _NEVER


def _referring(
    registry: Registry,
    subject: Descriptor,
    envelopes: Sequence[tuple[str, bytes]],
    earlier: Sequence[_Said],
    key: PublicKey,
) -> None:
    """A bundle for each; then those that they replace go. Of two runs at the same time each takes
    away only what is older than its own, so that one of them stays.
    """
    gone: list[str] = []
    for uri, envelope in envelopes:
        at = _moment(envelope)
        content = bundle(envelope, key.hint)
        mine = digest_of(content)
        if not any(one.digest == mine for one in earlier):
            push = referrer(subject, content, uri, at)
            for blob in push.blobs:
                registry.upload_bytes(blob.content)
            registry.put(push.manifest, push.media)
        gone += [
            one.manifest
            for one in earlier
            if one.kind == "bundle"
            and intoto.same_type(one.statement.type, uri)
            and (one.at, one.digest) < (at, mine)
        ]
    if gone:
        registry.withdraw(subject.digest, tuple(dict.fromkeys(gone)))


def _earlier(registry: Registry, found: Attached, digest: str, key: PublicKey) -> Iterator[_Said]:
    """What this key attested of the digest before."""
    for attachment in found.found:
        if isinstance(attachment.manifest, Manifest):
            yield from _said(registry, attachment.manifest, attachment.how, digest, key)


def _said(
    registry: Registry, manifest: Manifest, where: str, digest: str, key: PublicKey
) -> Iterator[_Said]:
    """The same in one manifest. Bundles that share it with something else are left out: nobody
    takes them away.
    """
    for one in signing.contents(registry, manifest, where):
        statement = _statement(one, key)
        if statement is None or intoto.names(statement, digest) is None:
            continue
        if one.kind == "bundle" and len(manifest.layers) > 1:
            continue
        at = made_at(statement) or _NEVER
        yield _Said(one.kind, one.content, one.digest, manifest.digest, statement, at)


def _statement(one: Artifact, key: PublicKey) -> intoto.Statement | None:
    """What an artefact says, if the key signed it."""
    try:
        if one.kind == "dsse":
            envelope = dsse.parse(one.content)
        elif one.kind == "bundle":
            found = parse_bundle(one.content).envelope
            if found is None:
                return None
            envelope = found
        else:
            return None
        if envelope.type != dsse.IN_TOTO or not dsse.signers(envelope, [key]):
            return None
        return intoto.parse_statement(envelope.payload)
    except dsse.Malformed:
        return None


def _repeated(earlier: Sequence[_Said], uri: str, predicate: Any, name: str, at: datetime) -> bytes:
    """The newest envelope that says the same, if it is fresh; else nothing."""
    same = [one for one in earlier if one.kind == "dsse" and one.statement.type == uri]
    for one in sorted(same, key=lambda one: (one.at, one.digest), reverse=True)[:1]:
        named = {subject.name or "" for subject in one.statement.subjects}
        if named != {name} or not timedelta(0) <= at - one.at < FRESH:
            continue
        before = msgspec.json.decode(one.statement.predicate)
        if undated(uri, before) == undated(uri, predicate):
            return one.content
    return b""


def _check(
    registry: Registry, digest: str, types: Sequence[str], key: PublicKey, at: datetime
) -> None:
    """What was put there is read from there: only then is it vouched for."""
    artifacts = signing.attached(registry, digest)
    for type in ("", *types):
        found = verify(artifacts, [key], Wanted(digest, type), at)
        if not found.ok:
            what = f"the {type or 'signature'} of {registry.where}@{digest} is not there"
            why = "; ".join(failure.message for failure in found.failures[:3])
            raise Unreachable(what, f"it was put there, and then: {why}", "try again")
