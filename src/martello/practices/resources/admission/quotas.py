"""ResourceQuota as the admission plug-in holds it: what is left, and what it refuses.

Enforcement reads a quota's status. In files that have none the controller is taken to have filled
it: `hard` from the spec, `used` from the other objects of the namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.admission import versions
from martello.practices.resources.admission.charges import Charge, keys_of, unsaid
from martello.practices.resources.admission.held import Held, held
from martello.practices.resources.admission.limit_ranges import at_home
from martello.practices.resources.admission.scopes import (
    Scope,
    expressions,
    in_scope,
    inside,
    scopes,
)
from martello.practices.resources.amounts import Amounts, Malformed, amounts, like, plus, text


class Quota(msgspec.Struct, frozen=True):
    """One ResourceQuota: what it bounds and what is taken, in thousandths.

    `status` says where that comes from: the object's own status, or assumed of files; `missing`
    where a cluster's controller has not filled it yet, so that the quota bounds nothing.
    """

    resource: Resource
    hard: Amounts
    used: Amounts
    scopes: tuple[Scope, ...] = ()
    status: Literal["read", "assumed", "missing"] = "read"

    def keys(self, kind: str) -> frozenset[str]:
        """What of it objects of a kind are charged to."""
        return _keys(kind, tuple(self.hard))


@lru_cache(maxsize=4096)
def _keys(kind: str, hard: tuple[str, ...]) -> frozenset[str]:
    return keys_of(kind, hard)


class Refusal(msgspec.Struct, frozen=True):
    """Why a quota refuses: the server's words, and the keys that they are about."""

    text: str
    by: Resource | None
    keys: tuple[str, ...] = ()
    code: int = 403


class Limited(msgspec.Struct, frozen=True):
    """One entry of `limitedResources`: what nobody gets where no quota covers it."""

    kind: str  # as `pods` or `deployments.apps`
    contains: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()


def quotas(world: Cluster, namespace: str) -> tuple[Quota, ...]:
    """The quotas of a namespace. Raises Malformed."""
    known = _quotas(world)
    if namespace not in known:
        listed = world.of_kind("ResourceQuota", namespace)
        known[namespace] = tuple(quota_of(world, resource) for resource in listed)
    return known[namespace]


def quota_of(world: Cluster, resource: Resource) -> Quota:
    """One quota of a world. Raises Malformed."""
    return at_home(resource, lambda one: _quota(one, world))


@lru_cache(maxsize=2)
def _quotas(world: Cluster) -> dict[str, tuple[Quota, ...]]:
    """What was read of a world: it never changes."""
    return {}


def _quota(resource: Resource, world: Cluster) -> Quota:
    written = resource.raw.get("status")
    status = written if isinstance(written, dict) else {}
    found = scopes(resource.spec)
    if status.get("hard"):
        hard = amounts(status.get("hard"), ("status", "hard"))
        return Quota(resource, hard, amounts(status.get("used"), ("status", "used")), found)
    spec = amounts(resource.spec.get("hard"), ("spec", "hard"))
    if world.name:
        return Quota(resource, {}, {}, found, "missing" if spec else "read")
    bare = Quota(resource, spec, dict.fromkeys(spec, 0), found, "assumed")
    return spent(bare, held(world, resource.ref.namespace))


def remaining(quota: Quota) -> Amounts:
    """What is left of a quota, by key; never less than 0."""
    return {key: max(0, hard - quota.used.get(key, 0)) for key, hard in quota.hard.items()}


def spent(quota: Quota, given: Iterable[Held], sign: int = 1) -> Quota:
    """The quota with what objects in its scopes take on top, as the controller counts it; with
    `sign` -1 without what they took.
    """
    used = dict(quota.used)
    for one in given:
        keys = quota.keys(one.charge.kind)
        if keys and inside(quota.scopes, one.charge.subject):
            for key, milli in one.charge.usage.items():
                if key in keys and key in used:
                    total = plus(used[key], like(milli, sign * one.count * milli))
                    used[key] = total if total > 0 else 0
    return msgspec.structs.replace(quota, used=used)


def fresh(quota: Quota) -> Quota:
    """The quota as if nothing was taken of it yet, and in force at once."""
    hard = quota.hard
    if quota.status == "missing":
        hard = amounts(quota.resource.spec.get("hard"), ("spec", "hard"))
    return msgspec.structs.replace(quota, hard=hard, used=dict.fromkeys(hard, 0))


def after(
    found: Sequence[Quota],
    charge: Charge,
    kubernetes: int,
    *,
    before: Charge | None = None,
    limited: Sequence[Limited] = (),
) -> tuple[list[Quota], list[Refusal]]:
    """The quotas as they stand when an object was let in, or why it is not. The server reads them
    in any order and stops at the first refusal; all are told. `before` is what the object took
    until now, where it is an update.
    """
    concerned, refusals = _concerned(found, charge, kubernetes)
    if refusals:
        return [], refusals
    deltas = _deltas(found, concerned, charge, before, kubernetes)
    if not any(deltas.values()):
        return list(found), []
    uncovered = _uncovered(found, concerned, charge, limited)
    if uncovered is not None:
        return [], [uncovered]
    result = list(found)
    for index in concerned:
        quota, delta = found[index], deltas[index]
        used = dict(quota.used)
        exceeded: list[str] = []
        for key, milli in delta.items():
            hard = quota.hard.get(key)
            if hard is not None:
                used[key] = plus(used.get(key, 0), milli)
                if used[key] > hard:
                    exceeded.append(key)
        if exceeded:
            refusals.append(_exceeded(quota, sorted(exceeded), delta))
        else:
            result[index] = msgspec.structs.replace(quota, used=used)
    return ([], refusals) if refusals else (result, [])


def _concerned(
    found: Sequence[Quota], charge: Charge, kubernetes: int
) -> tuple[list[int], list[Refusal]]:
    """The quotas that the object is charged to; or what they demand of it."""
    concerned: list[int] = []
    refusals: list[Refusal] = []
    for index, quota in enumerate(found):
        keys = quota.keys(charge.kind)
        if not keys or (quota.scopes and not inside(quota.scopes, charge.subject)):
            continue
        concerned.append(index)
        name = quota.resource.ref.name
        silent = {} if charge.levelled else unsaid(keys, charge.needs)
        if silent:
            words = ",".join(sorted(silent))
            if kubernetes >= versions.NAMED:
                said = [
                    f"{key} for: {','.join(sorted({need.name for need in silent[key]}))}"
                    for key in sorted(silent)
                ]
                words = "; ".join(said)
            told = f"failed quota: {name}: must specify {words}"
            refusals.append(Refusal(told, quota.resource, tuple(sorted(silent))))
        elif any(key not in quota.used for key in keys):
            listed = tuple(sorted(keys))
            told = f"status unknown for quota: {name}, resources: {','.join(listed)}"
            refusals.append(Refusal(told, quota.resource, listed))
    return concerned, refusals


def _deltas(
    found: Sequence[Quota],
    concerned: Sequence[int],
    charge: Charge,
    before: Charge | None,
    kubernetes: int,
) -> dict[int, Amounts]:
    """What each quota is charged with; of no quota (-1) where none is concerned."""
    given = {key: milli for key, milli in charge.usage.items() if milli}
    if before is None:
        return dict.fromkeys(concerned or (-1,), given)
    more = {
        key: like(milli, milli - before.usage.get(key, 0))
        for key, milli in charge.usage.items()
        if milli > before.usage.get(key, 0)
    }
    if kubernetes < versions.TERMINATING_CHANGE or not concerned:
        return dict.fromkeys(concerned or (-1,), more)
    return {
        index: more if inside(found[index].scopes, before.subject) else given for index in concerned
    }


def _uncovered(
    found: Sequence[Quota],
    concerned: Sequence[int],
    charge: Charge,
    limited: Sequence[Limited],
) -> Refusal | None:
    """What is limited by default and that no quota covers."""
    if not limited:
        return None
    wanted = {
        key
        for entry in limited
        if entry.kind == charge.kind
        for key, milli in charge.usage.items()
        if milli > 0 and any(part in key for part in entry.contains)
    }
    covered = {key for index in concerned for key in found[index].keys(charge.kind)}
    lacking = sorted(wanted - covered)
    if lacking:
        return Refusal(f"insufficient quota to consume: {','.join(lacking)}", None, tuple(lacking))
    asked = [
        scope for entry in limited for scope in entry.scopes if in_scope(scope, charge.subject)
    ]
    held = {s.name for quota in found for s in quota.scopes if in_scope(s, charge.subject)}
    open_scopes = [scope for scope in asked if scope.name not in held]
    if not open_scopes:
        return None
    listed = " ".join(f"{{{s.name} {s.operator} [{' '.join(s.values)}]}}" for s in open_scopes)
    # The server forgets to say that this is forbidden, so that it counts as its own error.
    return Refusal(f"insufficient quota to match these scopes: [{listed}]", None, code=500)


def _exceeded(quota: Quota, keys: Sequence[str], delta: Amounts) -> Refusal:
    def listed(given: Amounts) -> str:
        return ",".join(f"{key}={text(given[key])}" for key in keys if key in given)

    told = (
        f"exceeded quota: {quota.resource.ref.name}, requested: {listed(delta)}, "
        f"used: {listed(quota.used)}, limited: {listed(quota.hard)}"
    )
    return Refusal(told, quota.resource, tuple(keys))


def limited_of(configuration: Any) -> tuple[Limited, ...]:
    """`limitedResources` of an AdmissionConfiguration, or of the plug-in's own configuration.
    Raises Malformed.
    """
    if not isinstance(configuration, dict):
        raise Malformed((), "it is no configuration of admission plug-ins")
    plugins = configuration.get("plugins")
    if isinstance(plugins, list):
        own = [p for p in plugins if isinstance(p, dict) and p.get("name") == "ResourceQuota"]
        if not own:
            return ()
        if "configuration" not in own[0]:
            raise Malformed(("plugins",), "the configuration of ResourceQuota lies in another file")
        return limited_of(own[0]["configuration"])
    entries = configuration.get("limitedResources")
    found: list[Limited] = []
    for index, raw in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(raw, dict) or not isinstance(raw.get("resource"), str):
            raise Malformed(("limitedResources", index), "it names no resource")
        group = raw.get("apiGroup") or ""
        kind = f"{raw['resource']}.{group}" if group else raw["resource"]
        contains = raw.get("matchContains")
        listed = tuple(map(str, contains)) if isinstance(contains, list) else ()
        found.append(Limited(kind, listed, expressions(raw.get("matchScopes"))))
    return tuple(found)
