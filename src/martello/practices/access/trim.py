"""Least privilege with proof: what was granted and never used goes, and all that was used stays.

The changed cluster is compiled again and every observed request is asked of it. If it denies one,
or grants anybody more than before, nothing is handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from martello.core.audit_policy import AuditPolicy
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Ref, Resource
from martello.practices.access.answers import Access, access
from martello.practices.access.bindings import Binding
from martello.practices.access.confidence import born, confidence, watched
from martello.practices.access.cover import Single
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
from martello.practices.access.minimal import WIDENINGS, Need, scoped_rules
from martello.practices.access.model import Grant, Principal
from martello.practices.access.proof import checked, enough, proved
from martello.practices.access.replay import Disagreement, Explained, Replay, explained
from martello.practices.access.rules import read_role
from martello.practices.access.uses import Observed, Use

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
    found = access(cluster)
    credit = _Credit(found)
    disagreements: list[Disagreement] = []
    wanted: list[Use] = []
    opaque = ""
    for use in observed.uses:
        some = tuple(explained(found, (use,)))
        disagreements += checked(cluster, use, some)
        if not credit.take(some):
            wanted.append(use)
            opaque = opaque or ("" if use.principal.groups_known else use.principal.username)
    for use in observed.refused:
        # Not annotated, a 403 may be the admission's: what the cluster allows was used then.
        if not credit.take(explained(found, (use,))):
            wanted.append(use)
    here = world(cluster, found.grants)
    silence = Silence(observed, options.policy, opaque)
    stays: list[Stays] = []
    edits: list[Edit] = []
    for binding in found.grants.bindings:
        fate = _fate(binding, credit, silence, observed, options, cluster, stays)
        edit = edit_of(here, fate, options.widen) if fate is not None else None
        if edit is not None:
            edits.append(edit)
    wanted = [use for use in wanted if options.refused and _meant(use.principal.username, options)]
    edits += _grants(here, found, wanted, observed, options)
    edits.sort(key=_surprise)
    after = cluster.apply(
        [one for edit in edits for one in edit.changed],
        [ref for edit in edits for ref in edit.removed],
    )
    proof = proved(found, after, observed, wanted, edits)
    return Trim(
        tuple(edits),
        after,
        proof,
        tuple(stays),
        observed.refused,
        observed.asked,
        tuple(disagreements),
        observed.first,
        observed.last,
    )


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


class _Credit:
    """Which subject of which binding each use is put down to: the narrowest grant that allows it,
    but first one that stays anyway.
    """

    def __init__(self, found: Access) -> None:
        self._found = found
        self._breadth: dict[int, int] = {}
        self.needs: dict[tuple[int, int], list[tuple[Need, Use]]] = {}
        self.uncertain: set[tuple[int, int]] = set()  # of whose named rights not all are known

    def take(self, some: Iterable[Explained]) -> bool:
        """Puts requests down to grants. Whether all of them are allowed."""
        return min([self._take(one) for one in some], default=True)

    def _take(self, one: Explained) -> bool:
        if one.answer.verdict != "allowed":
            return False
        if one.answer.grants:
            best = min(one.answer.grants, key=self._rank)
            place = best.subject[1]
            assert isinstance(place, int)
            more = one.use.more and not one.request.name
            need = Need(one.request, not _names(best), more)
            key = (id(best.binding), place)
            if one.use.more and not need.free:
                self.uncertain.add(key)
            self.needs.setdefault(key, []).append((need, one.use))
        return True

    def _rank(self, grant: Grant) -> tuple[bool, bool, bool, int, str]:
        kind = grant.binding.raw["subjects"][grant.subject[1]].get("kind")
        key = id(grant.role)
        if key not in self._breadth:
            role = self._found.grants.role(grant.role)
            self._breadth[key] = sum(
                1_000_000
                if "*" in (*rule.verbs, *rule.resources, *rule.groups)
                else len(rule.verbs) * len(rule.resources) * len(rule.groups) + len(rule.urls)
                for rule in role.rules
            )
        return (
            not fixed(grant.binding),
            not grant.scope,
            kind == "Group",
            self._breadth[key],
            grant.binding.ref.local,
        )


def _names(grant: Grant) -> tuple[str, ...]:
    rule = next(r for r in read_role(grant.rule_role).rules if r.index == grant.rule)
    return rule.names


def _fate(
    binding: Binding,
    credit: _Credit,
    silence: Silence,
    observed: Observed,
    options: Options,
    cluster: Cluster,
    stays: list[Stays],
) -> Fate | None:
    """What is known of a binding; None where it is not to be edited."""
    resource = binding.resource
    if fixed(resource) or binding.role is None or binding.broken or binding.refused:
        return None
    gone: list[int] = []
    needs: list[Need] = []
    kept: dict[Single, None] = {}
    whole = False
    used: dict[int, int] = {}
    for subject, place in zip(binding.subjects, binding.places, strict=True):
        if not _meant(_username(subject), options):
            whole = True
            continue
        mine = credit.needs.get((id(resource), place), [])
        needs += [need for need, _ in mine]
        used.update((id(use), use.count) for _, use in mine)
        reasons = silence.kept(binding, subject)
        if born(resource) > observed.last > 0:
            reasons = (Kept("it is newer than the log"),)
        if (id(resource), place) in credit.uncertain:
            reasons = (Kept("more names were used than are kept"),)
        if not mine and not reasons:
            gone.append(place)
        for one in reasons:
            whole = whole or not one.rights
            kept.update(dict.fromkeys(one.rights))
            stays.append(Stays(resource.ref, str(subject), one.why, one.rights))
    sure = confidence(cluster, resource, binding.subjects, observed.first, observed.last)
    return Fate(binding, tuple(gone), tuple(needs), tuple(kept), whole, sum(used.values()), sure)


def _meant(username: str, options: Options) -> bool:
    return not options.only or username in options.only


def _username(subject: Any) -> str:
    if subject.kind == "ServiceAccount":
        return f"system:serviceaccount:{subject.namespace}:{subject.name}"
    return str(subject.name) if subject.kind == "User" else ""


def _grants(
    here: World, found: Access, wanted: Sequence[Use], observed: Observed, options: Options
) -> Iterator[Edit]:
    """New objects for what was wanted, one principal after the other."""
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
        yield granted(here, who[name], rules, watched(observed.first, observed.last))


def _surprise(edit: Edit) -> tuple[int, str]:
    """The order in which edits are shown: what surprises least comes first."""
    name = edit.binding.local if edit.binding is not None else edit.subjects[0]
    return (_ORDER[edit.kind], name)
