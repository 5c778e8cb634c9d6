"""One image before its policies: what is in it, who vouches for it, what each policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images.flow import Judging, examine
from martello.cli.images.inventories import inventory_of
from martello.cli.images.opening import Opened
from martello.cli.images.policies import keys_of
from martello.cli.progress import Progress
from martello.core.approval import APPROVE, DENY, UNASSESSED, Judgement, Reason
from martello.core.image import parse_image
from martello.core.package import Package
from martello.practices.images.attest.verify import Wanted, required
from martello.practices.images.judge import Facts, judge_all
from martello.practices.images.ledger import Vouched
from martello.practices.images.policy import DEFAULT, ImagePolicy, seconds
from martello.report.images.model import Examined

if TYPE_CHECKING:
    from martello.practices.images.facts import FactStore


class Court(msgspec.Struct, frozen=True):
    """Everything that a judgement rests on, besides the image."""

    policies: tuple[ImagePolicy, ...]
    how: Judging
    database: Any  # Database | None
    now: datetime
    waivers: tuple[Any, ...] = ()  # of checks


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
    *,
    signed: bool = True,
) -> Judged:
    """Reads and judges one image. `image` is its reference in a registry, empty where it has none;
    `signed` asks for the signatures that the policy wants, which only a registry can have.
    """
    inventory = inventory_of(opened, store, progress)
    policies = court.policies or (DEFAULT,)
    examined: Examined | None = None
    judgements: list[Judgement] = []
    registry = opened.place if signed and isinstance(opened.place, Registry) else None
    extra = missing(registry, opened, policies, court.now) if registry is not None else {}
    for sources, members in _by_sources(policies).items():
        settings = msgspec.structs.replace(court.how.match, severity_from=sources)
        how = msgspec.structs.replace(court.how, match=settings, max_hours=float("inf"))
        one = examine(inventory, court.database, how, court.now)
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
    examined = msgspec.structs.replace(examined, judgement=ordered[0])
    vouched = tuple(
        Vouched(policy.hash, policy.keys_hash, extra[policy.name])
        for policy in policies
        if policy.name in extra
    )
    return Judged(opened, examined, ordered, vouched)


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


def missing(
    registry: Registry, opened: Opened, policies: Sequence[ImagePolicy], now: datetime
) -> Mapping[str, tuple[Reason, ...]]:
    """What each policy misses of signatures and attestations."""
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
        found[policy.name] = required(policy, artifacts, keys[policy.name], wanted, now)
    return found


def age_of(text: str) -> timedelta | None:
    """`7d` as a length of time; None for nothing."""
    return timedelta(seconds=seconds(text, "--max-age", "the command line")) if text else None
