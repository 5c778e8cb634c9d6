"""Least privilege with proof: what was granted and never used goes, and all that was used stays.

The changed cluster is compiled again and every observed request is asked of it. If it denies one,
or grants anybody more than before, nothing is handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.audit_policy import AuditPolicy
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Ref, Resource
from martello.practices.access.answers import access
from martello.practices.access.bindings import Binding
from martello.practices.access.confidence import Confidence, born, confidence, watched
from martello.practices.access.cover import Single
from martello.practices.access.credit import Credit, Key
from martello.practices.access.edits import (
    GRANT,
    NARROW,
    SPLIT,
    UNBIND,
    Edit,
    Fate,
    World,
    edit_of,
    fixed,
    granted,
    world,
)
from martello.practices.access.keep import Kept, Silence
from martello.practices.access.merged import merged
from martello.practices.access.minimal import WIDENINGS, Need, scoped_rules
from martello.practices.access.model import Principal
from martello.practices.access.proof import by_another, checked, enough, proved
from martello.practices.access.replay import Disagreement, Explained, Replay, explained
from martello.practices.access.requests import PARTIAL
from martello.practices.access.rules import stands
from martello.practices.access.uses import Observed, Use

_DAY: Final = 86_400_000_000_000
_ROUNDS: Final = 3
_UNASKED: Final = Kept("it is not asked about")
_ORDER: Final = {UNBIND: 0, NARROW: 1, SPLIT: 2, GRANT: 3}


class Options(msgspec.Struct, frozen=True):
    """How to trim. `only`: user names whose own bindings are edited; empty: everybody's.

    `widen`: verbs, names, namespaces, each generalised as audit2rbac does it. `refused`: what was
    refused, or is not explained by the cluster, was wanted: it is granted. `since` is the length of
    the window that the events must cover, in ns.
    """

    policy: AuditPolicy | None = None
    widen: frozenset[str] = frozenset()
    refused: bool = False
    only: frozenset[str] = frozenset()
    since: int = 0
    gaps: int = 0  # parts of the log that could not be read


class Stays(msgspec.Struct, frozen=True):
    """What was kept of a binding though it was not seen used, and why. No rights: all of it."""

    binding: Ref
    subject: str
    why: str
    rights: tuple[Single, ...] = ()


class Trim(msgspec.Struct, frozen=True, eq=False):
    """The edits, least surprising first, and their proof: `proof` is the replay on `after`, the
    changed cluster: nothing that was allowed is denied.
    """

    edits: tuple[Edit, ...]
    after: Cluster
    proof: Replay
    stays: tuple[Stays, ...] = ()
    refused: tuple[Use, ...] = ()  # listed apart
    asked: tuple[Use, ...] = ()  # rights that were asked about, not used
    disagreements: tuple[Disagreement, ...] = ()
    first: int = 0
    last: int = 0

    @property
    def objects(self) -> tuple[Resource, ...]:
        """Every object that is new or changed."""
        return tuple(one for edit in self.edits for one in edit.changed)

    @property
    def removed(self) -> tuple[Ref, ...]:
        """Every object that goes."""
        return tuple(ref for edit in self.edits for ref in edit.removed)


def trim(
    observed: Observed | Sequence[Use], cluster: Cluster, options: Options | None = None
) -> Trim:
    """Trims what a cluster grants to what was used. Raises Stale where the events are too few, or
    of another time than the cluster; Refused where the proof fails; BadInput.
    """
    options = options or Options()
    if options.widen - set(WIDENINGS):
        raise BadInput("cannot widen that", f"only {', '.join(WIDENINGS)} can be widened")
    if not isinstance(observed, Observed):
        observed = observed_of(observed)
    enough(observed, options.since)
    survey = _survey(cluster, observed)
    wanted = [u for u in survey.wanted if options.refused and _meant(u.principal.username, options)]
    unread = observed.skipped.get(PARTIAL, 0)
    window = watched(observed.first, observed.last, observed.days, options.gaps + unread)
    silence = Silence(observed, options.policy, survey.opaque)
    stays: list[Stays] = []
    edits = _edits(cluster, survey.asked, silence, observed, options, window, stays)
    after = _applied(cluster, edits)
    for _ in range(_ROUNDS):
        # Roles that have become narrow share less: what was put down to one may fit another now.
        asked = tuple(explained(access(after), (*observed.uses, *observed.refused)))
        more = _edits(after, asked, silence, observed, options, window, [])
        if not more:
            break
        edits = merged(edits, more, cluster)
        after = _applied(after, more)
    given = list(_grants(world(after, access(after).grants), wanted, options, window))
    after = _applied(after, given)
    edits = sorted((*edits, *given), key=_surprise)
    return Trim(
        tuple(edits),
        after,
        proved(access(cluster), after, observed, wanted, edits),
        tuple(stays),
        observed.refused,
        observed.asked,
        survey.disagreements,
        observed.first,
        observed.last,
    )


class _Survey(msgspec.Struct, frozen=True):
    """What a cluster says of all that was observed."""

    asked: tuple[Explained, ...]
    wanted: tuple[Use, ...]
    disagreements: tuple[Disagreement, ...]
    opaque: str


def _survey(cluster: Cluster, observed: Observed) -> _Survey:
    found = access(cluster)
    disagreements: list[Disagreement] = []
    wanted: list[Use] = []
    asked: list[Explained] = []
    opaque = ""
    for use in observed.uses:
        some = tuple(explained(found, (use,)))
        asked += some
        disagreements += checked(cluster, use, some)
        if not _all_allowed(some) and not by_another(use):
            wanted.append(use)
            opaque = opaque or ("" if use.principal.groups_known else use.principal.username)
    for use in observed.refused:
        # Not annotated, a 403 may be the admission's: what the cluster allows was used then.
        some = tuple(explained(found, (use,)))
        asked += some
        if not _all_allowed(some):
            wanted.append(use)
    return _Survey(tuple(asked), tuple(wanted), tuple(disagreements), opaque)


def _edits(
    cluster: Cluster,
    asked: Sequence[Explained],
    silence: Silence,
    observed: Observed,
    options: Options,
    window: Confidence,
    stays: list[Stays],
) -> list[Edit]:
    """What becomes of each binding; fills `stays`."""
    found = access(cluster)
    here = world(cluster, found.grants)
    staying: dict[Key, tuple[Kept, ...]] = {}
    for binding in found.grants.bindings:
        for place, kept in _staying(binding, silence, options, observed.last):
            staying[id(binding.resource), place] = kept
    credit = Credit(found, staying)
    credit.take(asked)
    edits: list[Edit] = []
    for binding in found.grants.bindings:
        if not _left_alone(binding):
            fate = _fate(binding, credit, staying, observed, cluster, window, stays)
            edit = edit_of(here, fate, options.widen)
            edits += [edit] if edit is not None else []
    return edits


def _applied(cluster: Cluster, edits: Iterable[Edit]) -> Cluster:
    changed = [one for edit in edits for one in edit.changed]
    removed = [ref for edit in edits for ref in edit.removed]
    return cluster.apply(changed, removed) if changed or removed else cluster


def observed_of(uses: Sequence[Use]) -> Observed:
    """Uses alone, as if they were all that was seen."""
    times = [at for use in uses for at in (use.first, use.last) if at]
    classes: dict[str, int] = dict.fromkeys(
        ("read", "write", "path", "account", "system", "user"), 1
    )
    count = sum(use.count for use in uses)
    return Observed(
        tuple(uses),
        events=count,
        first=min(times, default=0),
        last=max(times, default=0),
        seen=classes,
        days=len({at // _DAY for at in times}),
    )


def patches(trim: Trim, cluster: Cluster) -> Iterator[tuple[Ref, list[dict[str, Any]]]]:
    """The changes of objects that exist, as JSON patches (RFC 6902)."""
    for one in trim.objects:
        ref = one.ref
        before = cluster.get(ref.group_kind, ref.namespace, ref.name)
        if before is None:
            continue
        yield (
            ref,
            [
                {"op": "replace", "path": f"/{key}", "value": one.raw[key]}
                for key in ("rules", "subjects")
                if key in one.raw and one.raw[key] != before.raw.get(key)
            ],
        )


def _staying(
    binding: Binding, silence: Silence, options: Options, last: int
) -> Iterator[tuple[int, tuple[Kept, ...]]]:
    """What stays of a binding for each of its subjects, by their places."""
    for subject, place in zip(binding.subjects, binding.places, strict=True):
        if _left_alone(binding) or not _meant(_username(subject), options):
            yield place, (_UNASKED,)
        elif born(binding.resource) > last > 0:
            yield place, (Kept("it is newer than the log"),)
        else:
            yield place, silence.kept(binding, subject)


def _fate(
    binding: Binding,
    credit: Credit,
    staying: Mapping[Key, tuple[Kept, ...]],
    observed: Observed,
    cluster: Cluster,
    window: Confidence,
    stays: list[Stays],
) -> Fate:
    """What is known of a binding."""
    resource = binding.resource
    gone: list[int] = []
    needs: list[tuple[int, Need]] = []
    kept: list[tuple[int, Single]] = []
    whole = False
    used: dict[int, int] = {}
    for subject, place in zip(binding.subjects, binding.places, strict=True):
        mine = credit.needs.get((id(resource), place), [])
        needs += [(place, need) for need, _ in mine]
        used.update((id(use), use.count) for _, use in mine)
        reasons = staying[id(resource), place]
        if (id(resource), place) in credit.uncertain:
            reasons = (Kept("more names were used than are kept"),)
        if not mine and not reasons:
            gone.append(place)
        for one in reasons:
            whole = whole or not one.rights
            kept += [(place, right) for right in one.rights]
            if one is not _UNASKED:
                stays.append(Stays(resource.ref, str(subject), one.why, one.rights))
    sure = confidence(cluster, resource, binding.subjects, window, observed.first)
    return Fate(binding, tuple(gone), tuple(needs), tuple(kept), whole, sum(used.values()), sure)


def _left_alone(binding: Binding) -> bool:
    """Whether a binding is never edited: the API server makes it, or nothing follows from it as it
    is written (other findings say so).
    """
    adrift = not binding.cluster_wide and not binding.resource.ref.namespace
    unclear = binding.role is None or not stands(binding.role) or binding.broken or binding.refused
    return adrift or bool(unclear) or fixed(binding.resource)


def _all_allowed(some: Iterable[Explained]) -> bool:
    return all(one.answer.verdict == "allowed" for one in some)


def _meant(username: str, options: Options) -> bool:
    return not options.only or username in options.only


def _username(subject: Any) -> str:
    if subject.kind == "ServiceAccount":
        return f"system:serviceaccount:{subject.namespace}:{subject.name}"
    return str(subject.name) if subject.kind == "User" else ""


def _grants(
    here: World, wanted: Sequence[Use], options: Options, window: Confidence
) -> Iterator[Edit]:
    """New objects for what was wanted, one principal after the other."""
    found = access(here.cluster)
    needs: dict[str, list[Need]] = {}
    who: dict[str, Principal] = {}
    for use in wanted:
        name = use.principal.username
        for one in explained(found, (use,)):
            if one.answer.verdict != "allowed":
                more = use.more and not one.request.name
                needs.setdefault(name, []).append(Need(one.request, True, more))
                who[name] = use.principal
    for name, some in sorted(needs.items()):
        rules = scoped_rules(some, options.widen)
        yield granted(here, who[name], rules, window)


def _surprise(edit: Edit) -> tuple[int, str]:
    """The order in which edits are shown: what surprises least comes first."""
    name = edit.binding.local if edit.binding is not None else edit.subjects[0]
    return (_ORDER[edit.kind], name)
