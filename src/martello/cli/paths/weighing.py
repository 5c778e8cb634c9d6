"""What edits of grants cost, by who uses them: from the audit log, where one is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import msgspec

from martello.cli.access.trimming import read_events
from martello.cli.paths.opening import Known
from martello.core.audit_policy import AuditPolicy, read_policy
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.paths.use import Used
from martello.practices.access.bindings import Binding
from martello.practices.access.cover import singles
from martello.practices.access.grants import grants
from martello.practices.access.keep import METHODS, STANDARD, Silence
from martello.practices.access.model import ACCOUNT, Grant
from martello.practices.access.replay import explained
from martello.practices.access.uses import Use

_POLICY: Final = "Policy.audit.k8s.io"
UNUSED: Final = 1
HIDDEN: Final = 3
USED: Final = 10
SOLE: Final = 30
Key = tuple[int, int]  # a binding by its identity, and the place of a subject


class Weighed(msgspec.Struct, frozen=True, eq=False):
    """By edit, what it costs; the evidence of use; and what the log could not tell."""

    weights: Mapping[str, int] = {}
    used: Used | None = None
    notes: tuple[str, ...] = ()


def weigh(world: Known, events: Sequence[str], alerted: tuple[Use, ...] = ()) -> Weighed:
    """By edit of a grant: unused 1, not observable 3, used 10, the sole way of a use 30. Likewise
    the mounts of the tokens of accounts that asked for anything. Nothing without events.
    `alerted` are uses that alerts tell of: evidence, and too few to weigh by.
    """
    if not events:
        note = "what is used is not known: --events prefers grants that nobody uses"
        return Weighed(used=Used(alerted) if alerted else None, notes=(note,))
    observed, gaps = read_events(events)
    used: set[Key] = set()
    sole: set[Key] = set()
    for one in explained(world.opened.access, observed.uses):
        keys = {_key(grant) for grant in one.answer.grants}
        (sole if len(keys) == 1 else used).update(keys)
    bindings = {id(one.resource): one for one in grants(world.facts.cluster).bindings}
    silence = Silence(observed, _policy(world.facts.cluster))
    weights: dict[str, int] = {}
    for fact in world.facts.program.facts.values():
        for edit in fact.edits:
            if edit.kind != "grant" or fact.resource is None:
                continue
            key = (id(fact.resource), _place(fact.path))
            cost = SOLE if key in sole else USED if key in used else UNUSED
            if cost == UNUSED and _hidden(bindings.get(key[0]), key[1], silence):
                cost = HIDDEN
            weights[edit.id] = max(cost, weights.get(edit.id, 0))
    weights |= _mounts(world, {use.principal.username for use in observed.uses})
    notes = tuple(f"unread: {gap}" for gap in gaps)
    return Weighed(weights, Used((*observed.uses, *alerted)), notes)


def _mounts(world: Known, active: Set[str]) -> dict[str, int]:
    """What it costs to mount no token, by edit, where the account is one of those that asked: its
    requests came with such a token, and where it has no other, with this one.
    """
    accounts = {
        one.resource.ref: f"{ACCOUNT}{one.namespace}:{one.service_account}"
        for one in world.facts.cluster.workloads()
    }
    found: dict[str, set[str]] = {}
    for fact in world.facts.program.facts.values():
        for edit in fact.edits:
            if edit.kind == "token":
                who = accounts.get(edit.changes[0].ref, "")
                if who in active:
                    found.setdefault(who, set()).add(edit.id)
    return {one: SOLE if len(edits) == 1 else USED for edits in found.values() for one in edits}


def _policy(cluster: Cluster) -> AuditPolicy | None:
    """The policy of the audit log, where it is among the objects."""
    return next((read_policy(one.raw) for one in cluster.of_kind(_POLICY)), None)


def _hidden(binding: Binding | None, place: int, silence: Silence) -> bool:
    """Whether the log could not show that a subject uses any right of a binding."""
    if binding is None or place not in binding.places:
        return False
    kept = silence.kept(binding, binding.subjects[binding.places.index(place)])
    if any(not one.rights for one in kept):
        return True
    hidden = {right for one in kept for right in one.rights}
    return bool(hidden) and all(
        (verb, *right) in hidden or (verb == "*" and _each(right) <= hidden)
        for verb, *right in singles(binding.rules)
    )


def _each(right: Sequence[Any]) -> set[tuple[Any, ...]]:
    """A right of all verbs, verb by verb."""
    return {(verb, *right) for verb in (METHODS if right[-1] else STANDARD)}


def _key(grant: Grant) -> Key:
    return id(grant.binding), _place(grant.subject)


def _place(path: Path) -> int:
    """Where a subject stands in its binding."""
    place = path[1] if len(path) > 1 else 0
    return place if isinstance(place, int) else 0
