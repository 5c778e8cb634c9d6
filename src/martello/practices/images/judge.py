"""What the policy says of one image: approve, deny, or unassessed, with every reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from martello.core.approval import (
    APPROVE,
    DENY,
    NEVER,
    UNASSESSED,
    Judgement,
    Reason,
    micros,
)
from martello.core.errors import BadInput
from martello.core.finding import Waived
from martello.core.image import parse_image
from martello.core.package import Inventory, Package, Unread
from martello.core.vulnerability import LEVELS, UNKNOWN, Data, Match, Ruled, aged
from martello.core.waiver import Match as Meant
from martello.core.waiver import Waiver
from martello.practices.images.findings import version_of
from martello.practices.images.policy import (
    DEFAULT,
    Effect,
    ImagePolicy,
    System,
    Vulnerabilities,
    applicable,
    listed,
    seconds,
)
from martello.practices.images.registries import public

_EFFECTS: Final = {"fail": DENY, "warn": "warn"}
_UNKNOWN_LEVEL: Final = LEVELS.index("medium")  # it may be anything: never taken for low
_ROOT: Final = frozenset(("", "root"))
_NO_DATE: Final = 1990  # builders that leave dates out write 0001, 1970 or 1980
_DAY: Final = timedelta(days=1)
_Due = tuple[Reason | None, datetime | None]  # a reason, or when there will be one


class Facts(msgspec.Struct, frozen=True):
    """What is known of one image when it is judged."""

    inventory: Inventory
    ruled: tuple[Ruled, ...] = ()  # matches, with who accepts them
    unread: tuple[Unread, ...] = ()  # of reading and of matching
    data: Data = Data("")
    end_of_life: str = ""  # of its system; ISO date, the last day with fixes
    image: str = ""  # the reference in its registry; empty: it has none yet
    denied: tuple[tuple[Package, str], ...] = ()  # packages, each with a licence that is denied
    waivers: tuple[Waiver, ...] = ()  # those of checks; of vulnerabilities they are in `ruled`
    extra: tuple[Reason, ...] = ()  # of signatures and attestations (IMG-007, IMG-008)


class _Gathered(msgspec.Struct):
    """Reasons, and the first moment at which something that is accepted now no longer is."""

    reasons: list[Reason]
    until: datetime


def judge_all(facts: Facts, policies: Sequence[ImagePolicy], at: datetime) -> tuple[Judgement, ...]:
    """The judgement of each policy that is meant for the image; where none is, one denial for its
    name (IMG-006). No policy at all means the built-in one.
    """
    policies = policies or (DEFAULT,)
    refused = name_reason(facts.image, policies)
    meant = applicable(policies, facts.image)
    if not meant:
        nobody = ImagePolicy("", origin="no policy")
        return (_judgement(facts, nobody, at, (refused,) if refused else (), at),)
    return tuple(judge(facts, policy, at, named=refused) for policy in meant)


def name_reason(image: str, policies: Sequence[ImagePolicy]) -> Reason | None:
    """Why an image may not come from where it does: its registry is not listed (high), or it is a
    public one and nothing is listed at all (low). Images without a name are not refused for it.
    """
    if not image:
        return None
    reference = parse_image(image)
    if reference is None:
        return Reason("IMG-006", image, "it is no image reference that a runtime would take")
    known = listed(policies, image)
    if known is False:
        message = f"no policy lists {reference.name}: spec.repositories"
        return Reason("IMG-006", reference.registry, message)
    if known is None and public(reference.registry):
        message = f"{reference.registry} is a public registry, and no policy lists what may come"
        return Reason("IMG-006", reference.registry, f"{message} from it", "low")
    return None


def judge(
    facts: Facts, policy: ImagePolicy, at: datetime, *, named: Reason | None = None
) -> Judgement:
    """What one policy says. Pure. A denial wins over what was not assessed; old or missing
    advisories are never an approval, whatever the policy says of unknowns.
    """
    spec, inventory = policy.spec, facts.inventory
    whole = _Gathered([], at + timedelta(seconds=seconds(spec.valid_for)))
    if named is not None:
        whole.reasons.append(named)
    whole.reasons += facts.extra
    for ruled in facts.ruled:
        _vulnerable(ruled, spec.vulnerabilities, at, whole)
    for reason, ends in _system(facts, spec.system, at):
        if reason is not None:
            whole.reasons.append(_waive(reason, facts, at, whole))
        if ends is not None:
            whole.until = min(whole.until, ends)
    whole.reasons += _data(facts, spec.vulnerabilities, at)
    unknown = {"deny": UNASSESSED}.get(spec.on_unknown, "warn")
    for unread in dict.fromkeys((*inventory.unread, *facts.unread)):
        subject = unread.where or unread.what
        whole.reasons.append(Reason("", subject, str(unread), "medium", unknown))
    return _judgement(facts, policy, at, tuple(whole.reasons), whole.until)


def judge_index(digest: str, image: str, children: Sequence[Judgement]) -> Judgement:
    """The judgement of an index by one policy, from those of the images in it: approved only if all
    are. An approval holds for each of them, a denial is the index's own.
    """
    if not children or len({(one.policy_hash, one.keys_hash) for one in children}) != 1:
        raise BadInput(f"cannot judge {image}", "its images were not judged by one policy")
    outcomes = {one.outcome for one in children}
    outcome = next((o for o in (DENY, UNASSESSED) if o in outcomes), APPROVE)
    ends = [one.not_after for one in children if one.not_after != NEVER]
    first = children[0]
    return Judgement(
        image=image,
        digest=digest,
        policy=first.policy,
        policy_hash=first.policy_hash,
        outcome=outcome,
        reasons=tuple(dict.fromkeys(r for one in children for r in one.reasons)),
        at=min(one.at for one in children),
        not_after=NEVER if outcome == DENY else min(ends, default=NEVER),
        data=first.data,
        keys_hash=first.keys_hash,
        children=tuple(dict.fromkeys(one.digest for one in children)),
    )


def _judgement(
    facts: Facts, policy: ImagePolicy, at: datetime, reasons: tuple[Reason, ...], until: datetime
) -> Judgement:
    effects = {reason.effect for reason in reasons}
    outcome = DENY if DENY in effects else UNASSESSED if UNASSESSED in effects else APPROVE
    inventory = facts.inventory
    return Judgement(
        image=facts.image or inventory.name,
        digest=inventory.digest,
        policy=policy.name,
        policy_hash=policy.hash,
        outcome=outcome,
        reasons=tuple(map(_told, reasons)),
        at=micros(at),
        not_after=NEVER if outcome == DENY else micros(until),
        data=facts.data,
        keys_hash=policy.keys_hash,
        same=(inventory.config,) if inventory.config and inventory.digest else (),
    )


def _told(reason: Reason) -> Reason:
    """The reason without what no JSON can hold: names in layers need not be text."""
    said = (reason.subject, reason.message)
    if all(text.isascii() for text in said):
        return reason
    subject, message = (text.encode("utf-8", "replace").decode() for text in said)
    return msgspec.structs.replace(reason, subject=subject, message=message)


def _vulnerable(ruled: Ruled, rule: Vulnerabilities, at: datetime, whole: _Gathered) -> None:
    """Adds the reason that one match gives, if any. A known exploited one counts whatever its
    severity, fix and grace; a likely exploited one whatever its severity.
    """
    match = ruled.match
    exploited = bool(match.exploited) and rule.exploited != "ignore"
    effect = _EFFECTS.get(rule.exploited, DENY) if exploited else DENY
    if not exploited or effect == "warn":
        counts = _severe(match, rule) and not (rule.fixable_only and not match.fixed)
        ends = _grace_ends(match, rule)
        if counts and ends is not None and at < ends:
            whole.until = min(whole.until, ends)
            counts, effect = False, "warn"
        elif counts:
            effect = DENY
        if not counts and not exploited and effect != "warn":
            return
    if ruled.waived is not None:
        effect = "warn"
        _ends_with(ruled.waived, whole)
    message = f"{version_of(match)} has {match.id}"
    message += f", fixed in {match.fixed}" if match.fixed else ", which has no fix yet"
    check = "IMG-003" if exploited else "IMG-001"
    if exploited:
        message += f", exploited since {match.exploited}"
    elif match.epss >= 0 and rule.epss_above is not None and match.epss > rule.epss_above:
        message += f", exploited soon with a probability of {match.epss:.0%}"
    severity = "critical" if exploited else match.severity
    subject = match.package.source or match.package.name
    whole.reasons.append(Reason(check, subject, message, severity, effect, ruled.waived))


def _severe(match: Match, rule: Vulnerabilities) -> bool:
    if rule.epss_above is not None and match.epss > rule.epss_above:
        return True
    if rule.fail_on == "none":
        return False
    level = _UNKNOWN_LEVEL if match.severity == UNKNOWN else LEVELS.index(match.severity)
    return level <= LEVELS.index(rule.fail_on)


def _grace_ends(match: Match, rule: Vulnerabilities) -> datetime | None:
    """Without a fix, or without the date of it, there is no grace."""
    published = _moment(match.fixed_at) if match.fixed and rule.grace_days else None
    return _after(published, rule.grace_days * _DAY) if published else None


def _system(facts: Facts, rule: System, at: datetime) -> Iterator[_Due]:
    """Reasons of the image as a whole, or the moment at which there will be one."""
    inventory = facts.inventory
    yield from _ended(facts, rule.end_of_life, at)
    if rule.secrets != "ignore":
        for leak in inventory.leaks:
            gone = ", which a later layer only hides" if leak.removed else ""
            where = f"{leak.path}:{leak.line}" if leak.line else leak.path
            message = f"{where} holds {leak.title}{gone}"
            effect = _EFFECTS[rule.secrets]
            yield Reason("IMG-009", leak.path, message, leak.severity, effect), None
    for package, licence in facts.denied:
        message = f"{package.name} {package.version} is under {licence}"
        yield Reason("IMG-010", package.name, message, "medium"), None
    if rule.user == "nonRoot":
        if not inventory.config:
            why = "there is no configuration that names a user"
            yield Reason("IMG-011", "user", why, "low", UNASSESSED), None
        elif _is_root(inventory.user):
            said = inventory.user or "root, for it names no user"
            yield Reason("IMG-011", "user", f"it runs as {said}", "low"), None
    if rule.base_max_age:
        yield from _base(inventory, timedelta(seconds=seconds(rule.base_max_age)), at)


def _ended(facts: Facts, effect: Effect, at: datetime) -> Iterator[_Due]:
    ends = _moment(facts.end_of_life)
    if ends is None or effect == "ignore":
        return
    system = facts.inventory.system
    name = (system.name or f"{system.id} {system.version}") if system else "its system"
    if at >= _after(ends, _DAY):
        message = f"{name} gets no fixes since {facts.end_of_life}"
        yield Reason("IMG-002", name, message, "high", _EFFECTS[effect]), None
        return
    if effect == "fail":
        yield None, _after(ends, _DAY)
    if at + 30 * _DAY >= ends:
        message = f"{name} gets no fixes after {facts.end_of_life}"
        yield Reason("IMG-002", name, message, "high", "warn"), None


def _base(inventory: Inventory, oldest: timedelta, at: datetime) -> Iterator[_Due]:
    """The lowest layer is the base: its date counts, else the image's."""
    dates = (inventory.layers[0].created if inventory.layers else "", inventory.created)
    built = next((date for date in map(_moment, dates) if date and date.year >= _NO_DATE), None)
    if built is None:
        why = "nothing says when its base was built"
        yield Reason("IMG-012", "base", why, "medium", UNASSESSED), None
    elif at - built > oldest:
        age = (at - built).days
        message = f"its base was built {age} days ago, and may be {oldest.days} days old"
        yield Reason("IMG-012", "base", message, "medium"), None
    else:
        yield None, _after(built, oldest)


def _data(facts: Facts, rule: Vulnerabilities, at: datetime) -> Iterator[Reason]:
    """Advisories that are missing or old: nothing may be approved."""
    limit = seconds(rule.max_database_age) / 3600
    data = facts.data
    if not data.digest:
        why = "there is no advisory database: martello db update"
        yield Reason("IMG-001", "advisories", why, "high", UNASSESSED)
    elif not 0 <= data.hours <= limit:
        old = aged(data.hours)
        why = f"the advisories are {old}, and may be {limit:.0f} h old at most: martello db update"
        yield Reason("IMG-001", "advisories", why, "high", UNASSESSED)


def _waive(reason: Reason, facts: Facts, at: datetime, whole: _Gathered) -> Reason:
    """A waiver of the check itself, for this image, turns a denial into a warning."""
    waived = _waiver_of(reason, facts, at) if reason.effect != "warn" else None
    if waived is None:
        return reason
    _ends_with(waived, whole)
    return msgspec.structs.replace(reason, effect="warn", waived=waived)


def _waiver_of(reason: Reason, facts: Facts, at: datetime) -> Waived | None:
    today = at.date().isoformat()
    names = (facts.image or facts.inventory.name,)
    for waiver in facts.waivers:
        if reason.check not in waiver.checks or (waiver.until and waiver.until < today):
            continue
        meant = waiver.match
        if msgspec.structs.replace(meant, images=()) != Meant():
            continue  # it is meant for objects of a cluster
        if meant.images and not _one_of(names, meant.images):
            continue
        return Waived(waiver.owner, waiver.reason, waiver.until, waiver.source)
    return None


def _one_of(names: Iterable[str], globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in names if name for glob in globs)


def _ends_with(waived: Waived, whole: _Gathered) -> None:
    last = _moment(waived.until)
    if last is not None:
        whole.until = min(whole.until, _after(last, _DAY))


def _is_root(user: str) -> bool:
    """`0`, `00`, `root:root`, and no user at all."""
    name = user.partition(":")[0].strip()
    return name in _ROOT or not name.lstrip("+-").strip("0")


def _moment(text: str) -> datetime | None:
    """An RFC 3339 time or an ISO date; None for anything else."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _after(moment: datetime, time: timedelta) -> datetime:
    """So much later; the last moment there is where that lies beyond the calendar."""
    try:
        return moment + time
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
