"""What a change of objects makes of places and policies: what did not change stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.practices.network.dialects.networkpolicy import KIND
from martello.practices.network.dialects.read import (
    is_policy,
    is_read,
    read,
    read_object,
    stands_alone,
)
from martello.practices.network.model import Endpoint, Policies, Policy, Profile, World
from martello.practices.network.world import DEFAULT_NAMESPACE
from martello.practices.network.world import world as world_of


class Source:
    """The objects of a cluster and what was changed since, put together when asked for."""

    __slots__ = ("_base", "_changed", "_removed")

    def __init__(
        self,
        base: Cluster,
        changed: Mapping[Ref, Resource] | None = None,
        removed: frozenset[Ref] = frozenset(),
    ) -> None:
        self._base = base
        self._changed = dict(changed or {})
        self._removed = removed

    @property
    def cluster(self) -> Cluster:
        """The cluster of the objects."""
        if self._changed or self._removed:
            self._base = self._base.apply(self._changed.values(), self._removed)
            self._changed, self._removed = {}, frozenset()
        return self._base

    def with_(self, changed: Sequence[Resource], removed: Sequence[Ref]) -> Source:
        """The objects after a change."""
        new = {resource.ref: resource for resource in changed}
        gone = self._removed.difference(new).union(ref for ref in removed if ref not in new)
        held = {ref: one for ref, one in self._changed.items() if ref not in gone}
        return Source(self._base, {**held, **new}, gone)


class Before(msgspec.Struct, frozen=True, eq=False):
    """What there was."""

    source: Source
    world: World
    policies: Policies
    profile: Profile
    extra: tuple[Endpoint, ...]


class Edit(msgspec.Struct, frozen=True, eq=False):
    """What there is."""

    source: Source
    world: World
    policies: Policies


def edited(before: Before, changed: Sequence[Resource], removed: Sequence[Ref]) -> Edit:
    """The cluster with objects added, replaced or removed. The World stays the same object where
    only policies changed, a Policy where its object means the same.
    """
    source = before.source.with_(changed, removed)
    refs = [*(resource.ref for resource in changed), *removed]
    world = before.world
    # A namespace without an object is there for as long as something lies in it.
    unsure = any(world.namespaces.get(_space(ref)) is None for ref in removed)
    if unsure or not all(
        is_policy(ref.group_kind) and _space(ref) in world.namespaces for ref in refs
    ):
        world = world_of(source.cluster, before.profile)
        if before.extra:
            endpoints = (*world.endpoints, *before.extra)
            world = msgspec.structs.replace(world, endpoints=endpoints)
    read_again = any(is_read(ref.group_kind, before.policies, before.profile) for ref in refs)
    if not read_again and not before.policies.faults:
        return Edit(source, world, before.policies)
    if all(ref.group_kind == KIND for ref in refs) and _plain(before) and _once(before, refs):
        return Edit(source, world, _some_read(before.policies, changed, removed))
    return Edit(source, world, _same(before.policies, read(source.cluster, before.profile)))


def _space(ref: Ref) -> str:
    return ref.namespace or DEFAULT_NAMESPACE


def _plain(before: Before) -> bool:
    """Whether each policy can be read by itself: nothing is said of one because of another."""
    policies, profile = before.policies, before.profile
    return (
        profile.enforces
        and stands_alone(profile)
        and (profile.dialects is None or KIND in profile.dialects)
        and not policies.faults
        and not policies.notes
    )


def _once(before: Before, refs: Sequence[Ref]) -> bool:
    """Whether no policy of the namespace `default` is there with and without it written."""
    names = {ref.name for ref in refs if _space(ref) == DEFAULT_NAMESPACE}
    if not names:
        return True
    known = [policy.resource.ref for policy in before.policies.policies]
    written = {
        (ref.name, ref.namespace)
        for ref in (*known, *refs)
        if ref.name in names and ref.group_kind == KIND and _space(ref) == DEFAULT_NAMESPACE
    }
    return len(written) == len(names)


def _some_read(before: Policies, changed: Sequence[Resource], removed: Sequence[Ref]) -> Policies:
    """The policies with some NetworkPolicies read anew."""
    fresh = {resource.ref: read_object(resource) for resource in changed}
    gone = set(removed) - set(fresh)
    found: list[Policy] = []
    for policy in before.policies:
        ref = policy.resource.ref
        if ref in fresh:
            found.extend(fresh.pop(ref).policies)
        elif ref not in gone:
            found.append(policy)
    ahead = [policy for one in fresh.values() for policy in one.policies]
    read_now = [read_object(resource) for resource in changed]
    return Policies(
        (*found, *ahead),
        tuple(fault for one in read_now for fault in one.faults),
        tuple(dict.fromkeys(note for one in read_now for note in one.notes)),
    )


def _same(before: Policies, after: Policies) -> Policies:
    """The policies after, each the object from before where it means the same."""
    held: dict[int, list[Policy]] = {}
    for policy in before.policies:
        held.setdefault(id(policy.resource), []).append(policy)
    found = [
        next((old for old in held.get(id(new.resource), ()) if _alike(old, new)), new)
        for new in after.policies
    ]
    return msgspec.structs.replace(after, policies=tuple(found))


def _alike(one: Policy, other: Policy) -> bool:
    return all(
        getattr(one, field) == getattr(other, field)
        for field in Policy.__struct_fields__
        if field != "resource"
    )
