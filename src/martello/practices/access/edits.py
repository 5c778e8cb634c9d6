"""What becomes of one binding: unbound, its role narrowed, or its part of a shared role split off.

The least surprising edit that is tight is taken. Objects are changed in copies; a binding's roleRef
cannot be changed, so what is split off is bound anew, and the old binding goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Ref, Resource
from martello.practices.access.bindings import BINDINGS, Binding
from martello.practices.access.confidence import Confidence
from martello.practices.access.cover import Single, covers
from martello.practices.access.grants import Grants
from martello.practices.access.keep import LARGEST, size
from martello.practices.access.minimal import Need, Raw, scoped_rules
from martello.practices.access.model import Principal
from martello.practices.access.requests import account_of
from martello.practices.access.rules import RBAC, Rule, read_role

UNBIND, NARROW, SPLIT, GRANT = "unbind", "narrow", "split", "grant"
_V1: Final = f"{RBAC}/v1"
_BOOTSTRAP: Final = "kubernetes.io/bootstrapping"
_AGGREGATED: Final = f"{RBAC}/aggregate-to-"
_LONGEST_NAME: Final = 253


class Edit(msgspec.Struct, frozen=True, eq=False):
    """One change. `closed` are rights that are gone where the binding granted them (at most a
    thousand; `closed_count` is how many). `removed` go after `changed` are there.
    """

    kind: str
    binding: Ref | None
    subjects: tuple[str, ...]  # whom it concerns
    changed: tuple[Resource, ...]
    removed: tuple[Ref, ...]
    because: str
    confidence: Confidence
    closed: tuple[Single, ...] = ()
    closed_count: int = 0
    used: int = 0  # requests that were allowed by it


class Fate(msgspec.Struct, frozen=True, eq=False):
    """What is known of a binding when its edit is chosen."""

    binding: Binding
    gone: tuple[int, ...]  # places of subjects that did nothing by it
    needs: tuple[tuple[int, Need], ...]  # with the place of the subject
    kept: tuple[tuple[int, Single], ...]
    whole: bool  # its role stays as it is
    used: int
    confidence: Confidence


class World(msgspec.Struct, frozen=True, eq=False):
    """The cluster that is edited, and what is known of its roles."""

    cluster: Cluster
    grants: Grants
    sole: frozenset[int]  # ids of roles that one binding uses, and nothing else
    taken: set[tuple[str, str, str]]  # names that new objects have: grows

    def free(self, kind: str, namespace: str, name: str) -> str:
        """A name for new objects that no object has, and from now on taken."""
        base, number = name[: _LONGEST_NAME - 8], 1
        while True:
            name = base if number == 1 else f"{base}-{number}"
            kinds = (f"{kind}.{RBAC}", f"{kind}Binding.{RBAC}")
            here = any(self.cluster.get(each, namespace, name) for each in kinds)
            if not here and (kind, namespace, name) not in self.taken:
                self.taken.add((kind, namespace, name))
                return name
            number += 1


def world(cluster: Cluster, grants: Grants) -> World:
    """What edits need to know of a cluster."""
    users: dict[int, int] = {}
    for binding in grants.bindings:
        if binding.role is not None:
            key = id(binding.role.resource)
            users[key] = users.get(key, 0) + 1
    blind = not cluster.complete or any(kind in cluster.unlisted for kind in BINDINGS)
    shared = {
        id(rule.role)
        for role in grants.roles.values()
        for rule in role.rules
        if rule.role is not role.resource
    }
    sole = {
        id(role.resource)
        for role in grants.roles.values()
        if users.get(id(role.resource)) == 1
        and not blind
        and not (cluster.read and role.resource.ref.kind == "ClusterRole")
        and id(role.resource) not in shared
        and role.resource.raw.get("aggregationRule") is None
        and not any(label.startswith(_AGGREGATED) for label in role.resource.labels)
        and not fixed(role.resource)
    }
    return World(cluster, grants, frozenset(sole), set())


def fixed(resource: Resource) -> bool:
    """Whether the API server makes the object anew whenever it starts."""
    return _BOOTSTRAP in resource.labels


def edit_of(world: World, fate: Fate, widen: frozenset[str]) -> Edit | None:
    """The edit of one binding; None where it stays as it is."""
    binding = fate.binding
    if len(fate.gone) == len(binding.subjects):
        return _unbind(fate)
    if fate.whole or binding.role is None:
        return _fewer(fate) if fate.gone else None
    home = "" if binding.cluster_wide else binding.resource.ref.namespace
    kept = [right for _, right in fate.kept if not (home and right[4])]
    rules = scoped_rules([need for _, need in fate.needs], widen, home, binding.rules, kept)
    own = rules.get(home, [])
    missing = _missing(own, binding)
    if set(rules) <= {home} and not missing:
        return _fewer(fate) if fate.gone else None
    if set(rules) <= {home} and id(binding.role.resource) in world.sole:
        return _narrow(fate, own, missing)
    return _split(world, fate, rules, missing)


def granted(
    world: World, who: Principal, rules: Mapping[str, list[Raw]], confidence: Confidence
) -> Edit:
    """New roles and bindings for what somebody wanted and may not."""
    slug = re.sub(r"[^a-z0-9.-]+", "-", who.username.lower()[:_LONGEST_NAME]).strip("-.")
    name = f"martello-{slug or 'user'}"
    account = account_of(who.username)
    subject: Raw = {"kind": "User", "apiGroup": RBAC, "name": who.username}
    if account:
        subject = {"kind": "ServiceAccount", "name": account[1], "namespace": account[0]}
    changed = [
        one for scope, some in rules.items() for one in _bound(world, scope, name, some, [subject])
    ]
    because = "it was asked for, and is not granted"
    return Edit(GRANT, None, (who.username,), tuple(changed), (), because, confidence)


def _unbind(fate: Fate) -> Edit:
    binding = fate.binding
    closed, count = _all(binding)
    return Edit(
        UNBIND,
        binding.resource.ref,
        tuple(map(str, binding.subjects)),
        (),
        (binding.resource.ref,),
        "nothing was done by it",
        fate.confidence,
        closed,
        count,
    )


def _fewer(fate: Fate) -> Edit:
    """The same binding without those who did nothing by it."""
    binding = fate.binding
    closed, count = _all(binding)
    left = {**binding.resource.raw, "subjects": _subjects(fate)}
    return Edit(
        UNBIND,
        binding.resource.ref,
        _gone(fate),
        (msgspec.structs.replace(binding.resource, raw=left),),
        (),
        "they did nothing by it",
        fate.confidence,
        closed,
        count,
        fate.used,
    )


def _narrow(fate: Fate, rules: list[Raw], missing: tuple[Single, ...]) -> Edit:
    binding = fate.binding
    assert binding.role is not None
    role = binding.role.resource
    changed = [msgspec.structs.replace(role, raw={**role.raw, "rules": rules})]
    if fate.gone:
        left = {**binding.resource.raw, "subjects": _subjects(fate)}
        changed.append(msgspec.structs.replace(binding.resource, raw=left))
    return Edit(
        NARROW,
        binding.resource.ref,
        _left(fate),
        tuple(changed),
        (),
        f"{role.ref.local} is used by this binding alone, and the rest of it is not used",
        fate.confidence,
        missing[:1000],
        len(missing),
        fate.used,
    )


def _split(
    world: World, fate: Fate, rules: Mapping[str, list[Raw]], missing: tuple[Single, ...]
) -> Edit:
    binding = fate.binding
    assert binding.role is not None
    name = f"{binding.resource.ref.name}-used"
    written = binding.resource.raw["subjects"]
    changed: list[Resource] = []
    for scope, some in rules.items():
        subjects = [written[place] for place in _there(fate, scope, some)]
        changed += _bound(world, scope, name, some, subjects)
    places = [scope for scope in rules if scope] if binding.cluster_wide else []
    because = f"{binding.role.resource.ref.local} grants more than was used by this binding"
    if places:
        because += f"; it was used in {', '.join(places[:3])}" + (" …" if places[3:] else "")
    return Edit(
        SPLIT,
        binding.resource.ref,
        _left(fate),
        tuple(changed),
        (binding.resource.ref,),
        because,
        fate.confidence,
        missing[:1000],
        len(missing),
        fate.used,
    )


def _there(fate: Fate, scope: str, rules: list[Raw]) -> list[int]:
    """Which subjects need something of a scope."""
    binding = fate.binding
    home = "" if binding.cluster_wide else binding.resource.ref.namespace
    made = rules_of(rules, binding)
    places = {place for place, _ in fate.kept if scope == home}
    for place, need in fate.needs:
        here = not scope or need.request.namespace == scope
        if here and place not in places and any(rule.allows(need.request) for rule in made):
            places.add(place)
    return sorted(places)


def _bound(
    world: World, scope: str, name: str, rules: list[Raw], subjects: list[Any]
) -> tuple[Resource, Resource]:
    """A new role with its binding."""
    kind = "Role" if scope else "ClusterRole"
    name = world.free(kind, scope, name)
    metadata = {"name": name, "namespace": scope} if scope else {"name": name}
    role = {"apiVersion": _V1, "kind": kind, "metadata": metadata, "rules": rules}
    binding = {
        "apiVersion": _V1,
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": subjects,
    }
    cluster = world.cluster.name
    return (
        Resource(role, Ref(cluster, _V1, kind, scope, name), Nowhere()),
        Resource(binding, Ref(cluster, _V1, f"{kind}Binding", scope, name), Nowhere()),
    )


def _subjects(fate: Fate) -> list[Any]:
    written = fate.binding.resource.raw["subjects"]
    gone = set(fate.gone)
    return [one for place, one in enumerate(written) if place not in gone]


def _gone(fate: Fate) -> tuple[str, ...]:
    pairs = zip(fate.binding.subjects, fate.binding.places, strict=True)
    return tuple(str(one) for one, place in pairs if place in fate.gone)


def _left(fate: Fate) -> tuple[str, ...]:
    pairs = zip(fate.binding.subjects, fate.binding.places, strict=True)
    return tuple(str(one) for one, place in pairs if place not in fate.gone)


def rules_of(rules: Iterable[Raw], binding: Binding) -> tuple[Rule, ...]:
    """Rules that were made, as they will be read."""
    return read_role(msgspec.structs.replace(binding.resource, raw={"rules": list(rules)})).rules


def _missing(rules: list[Raw], binding: Binding) -> tuple[Single, ...]:
    """The rights of a binding that these rules do not grant."""
    return covers(rules_of(rules, binding), binding.rules)[1]


def _all(binding: Binding) -> tuple[tuple[Single, ...], int]:
    count = size(binding)
    return (covers((), binding.rules)[1][:1000] if count <= LARGEST else ()), count
