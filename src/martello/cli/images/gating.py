"""One image before its policies: what is in it, who vouches for it, what each policy says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images.flow import Judging, examine
from martello.cli.images.inventories import inventory_of
from martello.cli.images.opening import Opened
from martello.cli.images.policies import keys_of, short_key
from martello.cli.progress import Progress
from martello.core.approval import APPROVE, DENY, UNASSESSED, Judgement, Reason
from martello.core.image import parse_image
from martello.core.package import Inventory, Package
from martello.practices.images.attest.intoto import predicate_type
from martello.practices.images.attest.keys import PublicKey
from martello.practices.images.attest.verify import Wanted, required
from martello.practices.images.judge import Facts, judge_all
from martello.practices.images.ledger import Vouched
from martello.practices.images.policy import DEFAULT, ImagePolicy, seconds
from martello.report.images.model import Examined

if TYPE_CHECKING:
    from martello.practices.images.facts import FactStore


MADE: Final = ("vuln", "cyclonedx", "verdict")  # what promote attests


class Court(msgspec.Struct, frozen=True):
    """Everything that a judgement rests on, besides the image."""

    policies: tuple[ImagePolicy, ...]
    how: Judging
    database: Any  # Database | None
    now: datetime
    waivers: tuple[Any, ...] = ()  # of checks


class Vouching(msgspec.Struct, frozen=True):
    """Who vouches for what is judged. `maker` will sign and attest it (promote); `strict` leaves no
    approval where signatures cannot be looked for, because others will rely on it.
    """

    maker: PublicKey | None = None
    strict: bool = False


NOBODY: Final = Vouching()


class Judged(msgspec.Struct, frozen=True):
    """One image with its judgements, the strictest first."""

    opened: Opened
    examined: Examined
    judgements: tuple[Judgement, ...]
    vouched: tuple[Vouched, ...] = ()  # by each policy that asks for signatures

    @property
    def outcome(self) -> str:
        """The worst of all: a denial, then what was not assessed."""
        outcomes = {one.outcome for one in self.judgements}
        return next((o for o in (DENY, UNASSESSED) if o in outcomes), APPROVE)


def judge_image(
    opened: Opened,
    image: str,
    court: Court,
    store: FactStore | None,
    progress: Progress,
    vouching: Vouching = NOBODY,
) -> Judged:
    """Reads and judges one image. `image` is its reference in a registry, empty where it has none.
    Signatures that a policy wants are looked for where it lies, if that is a registry.
    """
    inventory = inventory_of(opened, store, progress)
    policies = court.policies or (DEFAULT,)
    examined: Examined | None = None
    judgements: list[Judgement] = []
    extra = _missing(opened, policies, court.now, vouching)
    for sources, members in _by_sources(policies).items():
        settings = msgspec.structs.replace(court.how.match, severity_from=sources)
        how = msgspec.structs.replace(court.how, match=settings, max_hours=float("inf"))
        one = examine(inventory, court.database, how, court.now, image)
        examined = examined or one
        for policy in members:
            facts = _facts(one, image, policy, court, opened, extra.get(policy.name, ()))
            judgements += judge_all(facts, (policy,), court.now) if len(policies) == 1 else [
                j for j in judge_all(facts, policies, court.now) if j.policy in (policy.name, "")
            ]  # fmt: skip
    assert examined is not None
    unique = tuple(dict.fromkeys(judgements))
    order = {DENY: 0, UNASSESSED: 1, APPROVE: 2}
    ordered = tuple(sorted(unique, key=lambda j: (order[j.outcome], j.policy)))
    notes = (*examined.notes, *_nameless(image, policies))
    examined = msgspec.structs.replace(
        examined, judgement=ordered[0], judgements=ordered, notes=notes
    )
    vouched = tuple(
        Vouched(policy.hash, policy.keys_hash, extra[policy.name])
        for policy in policies
        if policy.name in extra and isinstance(opened.place, Registry) and vouching.maker is None
    )
    return Judged(opened, examined, ordered, vouched)


def _nameless(image: str, policies: Sequence[ImagePolicy]) -> Iterator[str]:
    """What an image without a name in a registry is not asked."""
    listing = [policy.name for policy in policies if policy.spec.repositories]
    if listing and not image:
        names = ", ".join(listing)
        yield f"it has no name yet: spec.repositories of {names} was not asked (--as REF)"


def _examined(inventory: Inventory, image: str, court: Court, how: Judging) -> Examined:
    """VEX and waivers mean the image by the name that it gets, not by where it lies now: `oci:api`
    is a directory, though it could be read as a name.
    """
    one = examine(msgspec.structs.replace(inventory, name=image), court.database, how, court.now)
    named = msgspec.structs.replace(one.inventory, name=inventory.name)
    return msgspec.structs.replace(one, inventory=named)


def canonical_name(name: str) -> str:
    """The reference as a registry knows it; empty for what is none."""
    reference = parse_image(name)
    return str(reference) if reference is not None else ""


def _by_sources(policies: Sequence[ImagePolicy]) -> dict[tuple[str, ...], list[ImagePolicy]]:
    """Policies by whose severities they believe."""
    found: dict[tuple[str, ...], list[ImagePolicy]] = {}
    for policy in policies:
        sources = tuple[str, ...](policy.spec.vulnerabilities.severity_from)
        found.setdefault(sources, []).append(policy)
    return found


def _facts(
    one: Examined,
    image: str,
    policy: ImagePolicy,
    court: Court,
    opened: Opened,
    extra: tuple[Reason, ...],
) -> Facts:
    from martello.cli.images.flow import end_of_life

    licences = _licences(one.inventory.packages, policy.spec.system.licences.deny)
    return Facts(
        inventory=one.inventory,
        ruled=one.ruled,
        unread=one.unread,
        data=one.data,
        end_of_life=end_of_life(one.inventory, court.database),
        image=image,
        denied=licences,
        waivers=tuple(court.waivers),
        extra=extra,
    )


def _licences(packages: Sequence[Package], deny: Sequence[str]) -> tuple[tuple[Package, str], ...]:
    """The packages whose licences a policy denies, each with the licence."""
    if not deny:
        return ()
    from martello.practices.images.licences import denied

    told = ((package, denied(package.licences, deny)) for package in packages)
    return tuple((package, reason) for package, reason in told if reason)


def _missing(
    opened: Opened, policies: Sequence[ImagePolicy], now: datetime, vouching: Vouching
) -> Mapping[str, tuple[Reason, ...]]:
    """What each policy misses before an image arrives, or where it lies."""
    asking = [policy for policy in policies if policy.spec.signed.by]
    maker, found = vouching.maker, dict[str, tuple[Reason, ...]]()
    keys = keys_of(asking)
    there = opened.place if isinstance(opened.place, Registry) else None
    for policy in asking:
        ours = maker is not None and maker.hint in {key.hint for key in keys[policy.name]}
        wanted = made_here(policy) if ours else policy
        if not wanted.spec.signed.by:
            found[policy.name] = ()
        elif there is not None:
            found.update(missing(there, opened, (wanted,), now, signature=not ours))
        elif maker is not None:
            found[policy.name] = (_foreign(policy, ours, wanted),)
        else:
            effect = UNASSESSED if vouching.strict else "warn"
            why = "it lies in no registry, where signatures could be looked for"
            found[policy.name] = (Reason("IMG-007", "signature", why, "high", effect),)
    return found


def _foreign(policy: ImagePolicy, ours: bool, wanted: ImagePolicy) -> Reason:
    """Why a policy cannot be content with what the maker of an image adds to it."""
    if ours:
        types = ", ".join(one.type for one in wanted.spec.signed.attestations)
        message = f"it has no attestation of type {types}, which is not made here"
        return Reason("IMG-008", types, message)
    named = ", ".join(short_key(signer.key) for signer in policy.spec.signed.by)
    message = f"it is to be signed by {named}: it is not, and --key is another key"
    return Reason("IMG-007", "signature", message)


def made_here(policy: ImagePolicy) -> ImagePolicy:
    """The policy without what promote itself makes by a key that the policy names."""
    signed = policy.spec.signed
    made = {predicate_type(type) for type in MADE}
    rest = tuple(one for one in signed.attestations if predicate_type(one.type) not in made)
    left = msgspec.structs.replace(signed, attestations=rest, by=signed.by if rest else ())
    return msgspec.structs.replace(policy, spec=msgspec.structs.replace(policy.spec, signed=left))


def missing(
    registry: Registry,
    opened: Opened,
    policies: Sequence[ImagePolicy],
    now: datetime,
    *,
    signature: bool = True,
) -> Mapping[str, tuple[Reason, ...]]:
    """What each policy misses of signatures and attestations in a registry; without `signature`
    only of attestations.
    """
    asking = [policy for policy in policies if policy.spec.signed.by]
    if not asking:
        return {}
    from martello.cli.images.signing import attached

    digest = opened.manifest.digest
    artifacts = list(attached(registry, digest))
    if opened.index is not None:
        artifacts += attached(registry, opened.index.digest)
    keys = keys_of(asking)
    found: dict[str, tuple[Reason, ...]] = {}
    for policy in asking:
        name = registry.image.name if policy.spec.signed.match_name else ""
        wanted = Wanted(digest, name=name, index=opened.index)
        reasons = required(policy, artifacts, keys[policy.name], wanted, now)
        found[policy.name] = tuple(r for r in reasons if signature or r.check != "IMG-007")
    return found


def age_of(text: str) -> timedelta | None:
    """`7d` as a length of time; None for nothing. Raises BadInput."""
    return timedelta(seconds=seconds(text, "--max-age", text)) if text else None
