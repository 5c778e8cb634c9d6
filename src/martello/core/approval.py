"""What was decided of images: judgements with their reasons, rows of the ledger, the snapshot that
admission reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from martello.core.finding import Waived
from martello.core.vulnerability import Data

APPROVE: Final = "approve"
DENY: Final = "deny"
UNASSESSED: Final = "unassessed"
OUTCOMES: Final = (APPROVE, DENY, UNASSESSED)
NEVER: Final = 0  # of `not_after`: it does not run out
GENESIS: Final = "0" * 64  # what the first row of an issuer follows
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reason(msgspec.Struct, frozen=True):
    """One reason of a judgement. `effect` is deny, unassessed or warn; one that is waived warns."""

    check: str  # IMG-001 …; empty: a part of the image that was not read
    subject: str  # the package, file, layer, registry that is meant
    message: str
    severity: str = "high"
    effect: str = DENY
    waived: Waived | None = None


class Judgement(msgspec.Struct, frozen=True):
    """What one policy says of one image. Times are microseconds since 1970, UTC."""

    image: str  # as a person names it
    digest: str
    policy: str  # its name
    policy_hash: str
    outcome: str  # of OUTCOMES
    reasons: tuple[Reason, ...]
    at: int
    not_after: int  # NEVER for a denial
    data: Data
    keys_hash: str = ""
    children: tuple[str, ...] = ()  # of an index: digests of the images that were judged with it
    same: tuple[str, ...] = ()  # other digests of this very image: its configuration


class Approval(msgspec.Struct, frozen=True):
    """One row of the ledger: a decision of an issuer, chained to the row before it."""

    issuer: str
    seq: int  # from 1, without holes
    digest: str
    children: tuple[str, ...]
    same: tuple[str, ...]
    policy: str
    policy_hash: str
    keys_hash: str
    outcome: str
    reasons: tuple[Reason, ...]
    data: str  # digest of the advisory database
    issued_at: int
    not_after: int
    prev: str  # hash of the row before, GENESIS for the first
    hash: str = ""


class Pin(msgspec.Struct, frozen=True):
    """What a tag meant when it was resolved."""

    digest: str
    not_after: int


class Observed(msgspec.Struct, frozen=True):
    """A digest that a tag meant, when it was seen first and last."""

    digest: str
    first_at: int
    last_at: int


class Standing(msgspec.Struct, frozen=True):
    """A decision as admission needs it: small, because there are many."""

    outcome: str
    not_after: int
    issuer: str
    message: str = ""  # the first reasons, for whom it is denied to


Key = tuple[str, str]  # hash of a policy, hash of its keys


class Approvals(msgspec.Struct, frozen=True):
    """The ledger as one immutable snapshot. Nothing that asks it does any I/O."""

    at: int = 0  # when it was read
    max_age: int = NEVER  # microseconds after which it is stale
    version: int = 0
    decided: Mapping[Key, Mapping[str, tuple[Standing, ...]]] = {}  # digest → one an issuer
    refs: Mapping[str, Pin] = {}  # name:tag → digest

    def ruled(self, key: Key, digest: str, at: int) -> Standing | None:
        """What holds of a digest: a denial wins, then an approval, then `unassessed`."""
        rows = self.decided.get(key, _NOBODY).get(digest, ())
        held = [row for row in rows if row.not_after == NEVER or row.not_after > at]
        return min(held, key=lambda row: _FIRST[row.outcome]) if held else None

    def pinned(self, reference: str, at: int) -> str:
        """The digest that a reference was resolved to, or an empty text."""
        pin = self.refs.get(reference)
        held = pin is not None and (pin.not_after == NEVER or pin.not_after > at)
        return pin.digest if pin is not None and held else ""


class Ruling(msgspec.Struct, frozen=True):
    """What becomes of one image of a pod. `outcome` is allow, warn, deny or exempt."""

    image: str
    outcome: str
    digest: str = ""  # the pod's own, or what its tag was resolved to
    reasons: tuple[Reason, ...] = ()
    ask: bool = False  # nothing is known yet: have it resolved and scanned


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a pod or workload: the worst of its images. `outcome` is allow, warn or
    deny.
    """

    outcome: str
    rulings: tuple[Ruling, ...] = ()

    @property
    def ask(self) -> tuple[str, ...]:
        """The images to resolve and scan, once each."""
        return tuple(dict.fromkeys(ruling.image for ruling in self.rulings if ruling.ask))

    @property
    def pins(self) -> Mapping[str, str]:
        """Digests for the images that were named by tag."""
        return {r.image: r.digest for r in self.rulings if r.digest and "@" not in r.image}


_NOBODY: Final[Mapping[str, tuple[Standing, ...]]] = {}
_FIRST: Final = {DENY: 0, APPROVE: 1, UNASSESSED: 2}


def micros(at: datetime) -> int:
    """A moment as microseconds since 1970, UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """The moment of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=at)


def stamp(at: int) -> str:
    """A moment as RFC 3339, to the second; empty for NEVER."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def chained(row: Approval) -> str:
    """The hash of a row: over every field but the hash itself, in the order of their declaration.
    The next row's `prev` repeats it.
    """
    fields = [getattr(row, name) for name in row.__struct_fields__ if name != "hash"]
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()
