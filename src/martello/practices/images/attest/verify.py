"""Who vouches for an image: the signatures and attestations that hold, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from martello.core.approval import DENY, Reason, micros
from martello.core.artifact import Index
from martello.core.image import parse_image
from martello.practices.images.attest import dsse, simple
from martello.practices.images.attest.artifacts import Artifact
from martello.practices.images.attest.bundle import parse_bundle
from martello.practices.images.attest.dsse import Envelope, Malformed
from martello.practices.images.attest.intoto import (
    SIGNED,
    Statement,
    names,
    parse_statement,
    predicate_type,
    same_type,
)
from martello.practices.images.attest.keys import PublicKey
from martello.practices.images.attest.predicates import made_at
from martello.practices.images.policy import ImagePolicy, seconds

SKEW: Final = timedelta(minutes=5)  # how far ahead a signer's clock may be
Kind = Literal[
    "absent",  # nothing of this kind is attached
    "keyless",  # a certificate vouches for the key: that is not verified here
    "wrong key",
    "other digest",
    "not listed",  # signed for an index that does not list the image
    "other name",
    "too old",
    "malformed",
]


class Wanted(msgspec.Struct, frozen=True):
    """What is asked: a signature (no type), or an attestation of a type and an age, for a digest.
    With `index`, what is said of the index counts for the image too, if the index lists it.
    """

    digest: str
    type: str = ""  # URI; empty: a signature
    max_age: timedelta | None = None
    name: str = ""  # the repository that must be named inside; empty: any
    index: Index | None = None

    @property
    def what(self) -> str:
        """As words."""
        return f"attestation of type {self.type}" if self.type else "signature"

    @property
    def one(self) -> str:
        """The same with its article."""
        return f"an {self.what}" if self.type else f"a {self.what}"


class Verified(msgspec.Struct, frozen=True):
    """One that holds."""

    type: str  # empty: a signature
    key: str  # the name of the key
    hint: str
    digest: str  # that it speaks of: the image's or its index's
    where: str
    blob: str
    at: int = 0  # when it says to have been made; 0: it does not
    predicate: bytes = b""  # JSON


class Failure(msgspec.Struct, frozen=True):
    """One that does not hold, or that there is none at all."""

    kind: Kind
    message: str
    where: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Those that hold, and why the others do not. Without any, it is not vouched for."""

    verified: tuple[Verified, ...]
    failures: tuple[Failure, ...]

    @property
    def ok(self) -> bool:
        """Whether one holds."""
        return bool(self.verified)


class _No(Exception):
    """Why one artefact does not hold."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


class _Other(Exception):
    """The artefact is of another kind than asked: no failure, and no help."""


def verify(
    artifacts: Iterable[Artifact], keys: Sequence[PublicKey], wanted: Wanted, at: datetime
) -> Verdict:
    """Judges everything that is attached. Pure. Only what one of the keys signed is believed: what
    was said by another counts as absent, and is told.
    """
    verified: list[Verified] = []
    failures: list[Failure] = []
    others = 0
    for artifact in artifacts:
        try:
            verified.append(_verified(artifact, keys, wanted, at))
        except _Other:
            others += 1
        except _No as no:
            failures.append(Failure(no.kind, str(no), artifact.where))
        except Malformed as error:
            failures.append(Failure("malformed", str(error), artifact.where))
    if not verified and not failures:
        beside = f"; {others} of other kinds are attached" if others else ""
        failures.append(Failure("absent", f"no {wanted.what} is attached{beside}"))
    return Verdict(tuple(verified), tuple(failures))


def required(
    policy: ImagePolicy,
    artifacts: Sequence[Artifact],
    keys: Sequence[PublicKey],
    wanted: Wanted,
    at: datetime,
) -> tuple[Reason, ...]:
    """The reasons that a policy's `signed` gives against an image: IMG-007 for the signature,
    IMG-008 for each attestation. `wanted` says which image it is; none if all is well.
    """
    signed = policy.spec.signed
    if not signed.by:
        return ()
    if not signed.match_name:
        wanted = msgspec.structs.replace(wanted, name="")
    asked = [("IMG-007", msgspec.structs.replace(wanted, type="", max_age=None))]
    for one in signed.attestations:
        age = timedelta(seconds=seconds(one.max_age)) if one.max_age else None
        type = predicate_type(one.type)
        asked.append(("IMG-008", msgspec.structs.replace(wanted, type=type, max_age=age)))
    return tuple(_reasons(asked, artifacts, keys, at))


def _reasons(
    asked: Iterable[tuple[str, Wanted]],
    artifacts: Sequence[Artifact],
    keys: Sequence[PublicKey],
    at: datetime,
) -> Iterator[Reason]:
    for check, one in asked:
        verdict = verify(artifacts, keys, one, at)
        if not verdict.ok:
            said = "; ".join(dict.fromkeys(failure.message for failure in verdict.failures))
            yield Reason(check, one.type or "signature", said[:1000], "high", DENY)


def _verified(
    artifact: Artifact, keys: Sequence[PublicKey], wanted: Wanted, at: datetime
) -> Verified:
    if artifact.kind == "unread":
        raise Malformed(f"it cannot be read: {artifact.why}")
    if artifact.kind == "simple":
        return _simple(artifact, keys, wanted)
    if artifact.kind == "dsse":
        envelope = dsse.parse(artifact.content)
        return _attested(artifact, envelope, keys, wanted, at, artifact.keyless)
    bundle = parse_bundle(artifact.content)
    if bundle.envelope is not None:
        return _attested(artifact, bundle.envelope, keys, wanted, at, bundle.keyless)
    return _plain(artifact, bundle.signature, keys, wanted, bundle.keyless)


def _simple(artifact: Artifact, keys: Sequence[PublicKey], wanted: Wanted) -> Verified:
    if wanted.type:
        raise _Other
    if not artifact.signature:
        raise Malformed("the payload has no signature beside it")
    signature = dsse.decoded(artifact.signature)
    key = next((k for k in keys if k.verifies(signature, artifact.content)), None)
    if key is None:
        raise _wrong_key(wanted, artifact.keyless)
    payload = simple.parse_payload(artifact.content)
    _check_digest((payload.digest,), wanted)
    _check_name((payload.name,), wanted)
    return Verified("", key.name, key.hint, payload.digest, artifact.where, artifact.digest)


def _plain(
    artifact: Artifact, signature: bytes, keys: Sequence[PublicKey], wanted: Wanted, keyless: bool
) -> Verified:
    """A signature over the bytes of the manifest itself: it holds for its digest, and no name."""
    if wanted.type:
        raise _Other
    listing = (wanted.index.digest,) if wanted.index and _lists(wanted) else ()
    for digest in (wanted.digest, *listing):
        algorithm, _, digits = digest.partition(":")
        hashed = bytes.fromhex(digits) if algorithm == "sha256" else b""
        key = next((k for k in keys if k.verifies_digest(signature, hashed)), None)
        if key is not None:
            _check_name((), wanted)
            return Verified("", key.name, key.hint, digest, artifact.where, artifact.digest)
    raise _wrong_key(wanted, keyless)


def _attested(
    artifact: Artifact,
    envelope: Envelope,
    keys: Sequence[PublicKey],
    wanted: Wanted,
    at: datetime,
    keyless: bool,
) -> Verified:
    signers = dsse.signers(envelope, keys)
    if envelope.type != dsse.IN_TOTO:
        raise Malformed(f"the payload is of type {envelope.type[:80]}, no in-toto statement")
    statement = parse_statement(envelope.payload)
    asked = wanted.type or SIGNED
    if not same_type(statement.type, asked):
        raise _Other
    if not signers:
        raise _wrong_key(wanted, keyless)
    digest = _subject(statement, wanted)
    _check_name(names(statement, digest) or (), wanted)
    made = made_at(statement)
    _check_age(made, wanted, at)
    return Verified(
        type="" if not wanted.type else statement.type,
        key=signers[0].name,
        hint=signers[0].hint,
        digest=digest,
        where=artifact.where,
        blob=artifact.digest,
        at=micros(made) if made else 0,
        predicate=bytes(statement.predicate),
    )


def _subject(statement: Statement, wanted: Wanted) -> str:
    if names(statement, wanted.digest) is not None:
        return wanted.digest
    spoken = [f"{a}:{d}" for s in statement.subjects for a, d in s.digest.items()]
    _check_digest(tuple(spoken), wanted)
    assert wanted.index is not None  # of no other digest it holds
    return wanted.index.digest


def _check_digest(spoken: tuple[str, ...], wanted: Wanted) -> None:
    if wanted.digest in spoken:
        return
    index = wanted.index
    if index is not None and index.digest in spoken:
        if _lists(wanted):
            return
        message = f"it is made for the index {index.digest}, which does not list {wanted.digest}"
        raise _No("not listed", message)
    told = ", ".join(digest[:80] for digest in spoken[:3])
    raise _No("other digest", f"it is made for {told}, not for {wanted.digest}")


def _lists(wanted: Wanted) -> bool:
    index = wanted.index
    return index is not None and any(d.digest == wanted.digest for d in index.manifests)


def _check_name(found: tuple[str, ...], wanted: Wanted) -> None:
    if not wanted.name:
        return
    asked = _name_of(wanted.name)
    if not any(_name_of(name) == asked for name in found):
        told = ", ".join(name[:120] for name in found if name) or "no name"
        raise _No("other name", f"it is made for {told}, not for {asked}")


def _name_of(text: str) -> str:
    reference = parse_image(text)
    return reference.name if reference else text


def _check_age(made: datetime | None, wanted: Wanted, at: datetime) -> None:
    if wanted.max_age is None:
        return
    if made is None:
        raise _No("too old", "it does not say when it was made")
    if made - at > SKEW:
        raise _No("too old", f"it says to be made on {made:%Y-%m-%d}, which is still to come")
    if at - made > wanted.max_age:
        days = (at - made) / timedelta(days=1)
        limit = wanted.max_age / timedelta(days=1)
        raise _No("too old", f"it is {days:.1f} days old, and may be {limit:.3g} days old")


def _wrong_key(wanted: Wanted, keyless: bool) -> _No:
    if keyless:
        message = f"there is a keyless {wanted.what}, which only a certificate vouches for"
        return _No("keyless", message)
    return _No("wrong key", f"there is {wanted.one} by none of the keys: it counts as absent")
