"""The blast radius of workloads: what each can take, and whom it hurts, by every resource."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.practices.resources.blast import seats
from martello.practices.resources.blast.apf import ACCOUNT, fairness
from martello.practices.resources.blast.created import by_created
from martello.practices.resources.blast.model import (
    Blast,
    Guard,
    Harm,
    Level,
    Resource,
    Rights,
    Starved,
    Victim,
)
from martello.practices.resources.blast.objects import NAMESPACED, by_objects, kept
from martello.practices.resources.blast.places import placed
from martello.practices.resources.blast.refs import referred
from martello.practices.resources.blast.room import Room, room
from martello.practices.resources.blast.score import Weights
from martello.practices.resources.blast.stage import Exact, Stage, Taken, by_key, likeness
from martello.practices.resources.node.model import Node, Pod

May = Callable[[Pod], Rights]
OF_NODES: Final[tuple[Resource, ...]] = ("cpu", "memory", "pids", "disk", "inodes")
UNENFORCED: Final = "network, conntrack, disk io, page cache, inotify"
_LEVEL: Final[dict[Level, int]] = {"container": 0, "token": 1, "namespace": 2, "tenant": 3}
_UNENFORCED: Final = Harm("unenforced", None, None, why=UNENFORCED)
_NO_RIGHT: Final = Guard("no right to create pods")


class World:
    """Everything that attackers are judged against, prepared once."""

    __slots__ = (
        *("_created", "_held_by", "_may", "_rooms", "_seats"),
        *("cluster", "guessed", "left", "owners", "pods", "spaces", "stages", "weights"),
    )

    def __init__(
        self,
        cluster: Cluster,
        pods: Iterable[Pod],
        nodes: Sequence[Node],
        may: May | None = None,
        crown: Collection[str] = frozenset(),
        tenants: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """`may` says what a pod's token may do, and is needed beyond the level of containers;
        `tenants` says for each namespace which ones are of the same tenant. `left` are workloads
        that no node takes.
        """
        self.cluster = cluster
        given = tuple(pods)
        self.pods, self.guessed = placed(given, nodes)
        self.spaces = tenants or {}
        self._may = may
        self.owners: dict[str, list[Pod]] = {}
        here: dict[str, list[Pod]] = {node.name: [] for node in nodes}
        for pod in self.pods:
            self.owners.setdefault(pod.owner, []).append(pod)
            here[pod.node].append(pod)
        # Those of one node together: what is known of it is at hand while they are asked about.
        number = {node.name: at for at, node in enumerate(nodes)}
        self.owners = dict(sorted(self.owners.items(), key=lambda item: number[item[1][0].node]))
        self.left = tuple(dict.fromkeys(p.owner for p in given if p.owner not in self.owners))
        self.stages = {node.name: Stage(node, here[node.name]) for node in nodes}
        accounts: dict[str, set[str]] = {}
        if may is not None:
            for owner, own in self.owners.items():
                user = may(own[0]).user
                if user:
                    accounts.setdefault(user, set()).add(owner)
            self._seats = seats.Seats(fairness(cluster), accounts)
        self.weights = Weights(self.pods, crown, accounts)
        self._rooms: dict[tuple[frozenset[str], bool], Room | None] = {}
        self._created: dict[tuple[Room, Resource], Taken] = {}
        self._held_by: dict[tuple[frozenset[str], Resource], Taken] = {}

    def blast(self, attacker: str, level: Level) -> Blast:
        """The blast of one workload (`namespace/kind/name`). Raises KeyError where it has no pod
        on any node, ValueError where rights are needed and nobody tells them.
        """
        own = self.owners[attacker]
        if _LEVEL[level] and self._may is None:
            raise ValueError("rights are needed beyond the level of containers")
        footholds = self._footholds(own)
        held = self._held(own[0].namespace, level)
        harms = [self._on_nodes(resource, attacker, footholds, held) for resource in OF_NODES]
        places = {pod.node for pod in own}
        if _LEVEL[level]:
            assert self._may is not None
            rights = self._may(own[0])
            harms, reached = self._beyond(attacker, own[0], rights, level, harms)
            places |= reached
        harms.append(_UNENFORCED)
        if self.cluster.resources:
            harms = [referred(self.cluster, harm, own[0]) for harm in harms]
        return Blast(
            attacker,
            level,
            tuple(harms),
            self.weights.score(attacker, harms),
            tuple(sorted(places)),
        )

    def _footholds(self, own: Sequence[Pod]) -> list[tuple[Stage, Pod]]:
        """By containers that run: any one of these pods; of those that are alike one."""
        found = list(own)
        if len(found) > 1:
            unlike = {likeness(pod): pod for pod in reversed(found)}
            found = list(reversed(unlike.values()))
        return [(self.stages[pod.node], pod) for pod in found]

    def _on_nodes(
        self,
        resource: Resource,
        attacker: str,
        footholds: Sequence[tuple[Stage, Pod]],
        spaces: frozenset[str],
    ) -> Harm:
        takens = [stage.by(resource, pod) for stage, pod in footholds]
        if spaces:
            takens.append(self._inside(spaces, resource))
        return self._harm(resource, attacker, takens, self.guessed)

    def _inside(self, spaces: frozenset[str], resource: Resource) -> Taken:
        """What all pods of namespaces can do: the same for each who administers them."""
        found = self._held_by.get((spaces, resource))
        if found is None:
            footholds = self._footholds([pod for pod in self.pods if pod.namespace in spaces])
            takens = [stage.by(resource, pod) for stage, pod in footholds]
            found = self._held_by[spaces, resource] = _merged(takens)
        return found

    def _harm(
        self,
        resource: Resource,
        attacker: str,
        takens: Sequence[Taken],
        guessed: bool = False,
        start: Harm | None = None,
    ) -> Harm:
        """The worst of several footholds: each by itself, their victims together."""
        one = _merged(takens, start, guessed) if start or guessed or len(takens) > 1 else takens[0]
        hurt = one.victims
        for pod in self.owners[attacker]:
            if pod.key in hurt:
                hurt = {key: v for key, v in hurt.items() if v.owner != attacker}
                break
        victims = tuple(hurt.values())
        return Harm(resource, one.take, one.guard, victims, one.exact, one.assumed, one.why)

    def _held(self, namespace: str, level: Level) -> frozenset[str]:
        """The namespaces that the attacker administers."""
        if level == "tenant":
            return frozenset((namespace, *self.spaces.get(namespace, ())))
        return frozenset((namespace,)) if level == "namespace" else frozenset()

    def _beyond(
        self, attacker: str, pod: Pod, rights: Rights, level: Level, harms: list[Harm]
    ) -> tuple[list[Harm], set[str]]:
        """What the token, the namespace and the tenant add."""
        held = self._held(pod.namespace, level)
        spaces = frozenset(self.reach(pod, level))
        creates = self.kinds(pod, level)
        makes = bool(held) or any(name == "serviceaccounts" for _, _, name in creates)
        reached: set[str] = set()
        inside = self._room(spaces, bool(held)) if spaces else None
        if inside is not None and inside.open:
            reached = set(self.stages)
            harms = [
                self._harm(
                    harm.resource, attacker, [self._by_created(inside, harm.resource)], start=harm
                )
                for harm in harms
            ]
            placement = self._harm("placement", attacker, [self._by_created(inside, "placement")])
        else:
            guard = _NO_RIGHT if inside is None else inside.guard("pods")
            placement = Harm("placement", 0, guard)
        harms.append(placement)
        harms.append(by_objects(self.cluster, creates, whole=bool(held)))
        if held and not rights.user:  # whoever administers a namespace makes himself a token
            user = f"{ACCOUNT}{pod.namespace}:default"
            rights = msgspec.structs.replace(rights, user=user, groups=seats.groups_of(user))
        harms.append(self._seats.harm(rights, makes_accounts=makes))
        if rights.unsure:
            harms = [
                *harms[: len(OF_NODES)],
                *(_doubted(harm, rights.unsure) for harm in harms[len(OF_NODES) :]),
            ]
        return harms, reached

    def reach(self, pod: Pod, level: Level) -> tuple[str, ...]:
        """The namespaces in which an attacker in a pod may create pods."""
        if self._may is None or not _LEVEL[level]:
            return ()
        held = self._held(pod.namespace, level)
        return tuple(sorted(self._named(self._may(pod).pods) | held))

    def kinds(self, pod: Pod, level: Level) -> frozenset[tuple[str, str, str]]:
        """What it may create: (namespace, API group, resource)."""
        if self._may is None or not _LEVEL[level]:
            return frozenset()
        held = self._held(pod.namespace, level)
        own = {(space, group, name) for space in held for group, name in NAMESPACED}
        return kept(self._may(pod).creates | own)

    def _named(self, spaces: Collection[str]) -> frozenset[str]:
        if "" in spaces:
            return frozenset(self.cluster.namespaces)
        return frozenset(spaces)

    def _room(self, spaces: frozenset[str], whole: bool) -> Room | None:
        key = (spaces, whole)
        if key not in self._rooms:
            self._rooms[key] = room(self.cluster, spaces, whole=whole)
        return self._rooms[key]

    def _by_created(self, inside: Room, resource: Resource) -> Taken:
        key = (inside, resource)
        found = self._created.get(key)
        if found is None:
            takens = [by_created(stage, inside, resource) for stage in self.stages.values()]
            found = self._created[key] = _merged(takens)
        return found


_FIRST: Final = itemgetter(0)
_WORSE: Final[dict[Exact, int]] = {"exact": 0, "bound": 1, "unassessed": 2}


def _merged(takens: Sequence[Taken], start: Harm | None = None, guessed: bool = False) -> Taken:
    """The worst of several, their victims together, those of `start` first."""
    exact: Exact = "bound" if guessed else "exact"
    assumed: tuple[str, ...] = ("placement",) if guessed else ()
    victims: dict[str, Victim] = {}
    held = [(one.take, one.guard) for one in takens]
    why = ""
    if start is not None:
        exact, why, victims = start.exact, start.why, by_key(start.victims)
        assumed += start.assumed
        held.append((start.take, start.guard))
    for one in takens:
        why = why or one.why
        if _WORSE[one.exact] > _WORSE[exact]:
            exact = one.exact
        if one.assumed != assumed:
            assumed += one.assumed
        if victims.keys().isdisjoint(one.victims):  # as those of different nodes are
            victims |= one.victims
        else:
            victims = {**victims, **one.victims, **victims}
    bounds = [(take, guard) for take, guard in held if take is not None]
    if len(bounds) < len(held):
        take, guard = None, held[0][1]
    else:
        take, guard = max(bounds, key=_FIRST, default=(0, None))  # the guard of the worst
    if None in [guard for _, guard in held]:
        guard = None
    return Taken(take, guard, victims, exact, tuple(dict.fromkeys(assumed)), why)


def _doubted(harm: Harm, why: tuple[str, ...]) -> Harm:
    return msgspec.structs.replace(harm, exact="unassessed", assumed=(*harm.assumed, *why))


def blast(
    cluster: Cluster,
    pods: Iterable[Pod],
    nodes: Sequence[Node],
    attacker: str,
    level: Level = "container",
    may: May | None = None,
    crown: Collection[str] = frozenset(),
    tenants: Mapping[str, Collection[str]] | None = None,
) -> Blast:
    """The blast of one workload (`namespace/kind/name`). Raises as World.blast."""
    return World(cluster, pods, nodes, may, crown, tenants).blast(attacker, level)


def blast_all(
    cluster: Cluster,
    pods: Iterable[Pod],
    nodes: Sequence[Node],
    level: Level = "container",
    may: May | None = None,
    crown: Collection[str] = frozenset(),
    tenants: Mapping[str, Collection[str]] | None = None,
) -> list[Blast]:
    """The blasts of all workloads, the worst first."""
    world = World(cluster, pods, nodes, may, crown, tenants)
    found = [world.blast(owner, level) for owner in world.owners]
    found.sort(key=lambda one: (-one.score, one.attacker))
    return found


def facts(blasts: Iterable[Blast]) -> Iterator[Starved]:
    """Who does what to whom: for those who join what the practices know."""
    for one in blasts:
        for harm in one.harms:
            for victim in harm.victims:
                yield Starved(
                    one.attacker,
                    one.level,
                    harm.resource,
                    victim.effect,
                    victim.key,
                    victim.owner,
                    harm.exact == "exact",
                )
