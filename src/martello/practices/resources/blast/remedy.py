"""The cheapest guards that bring a blast under a target: a small search, each answer tried anew.

A guard here is a change of pods, nodes or objects that an owner can make; what it does is found by
changing them and asking for the blast again, not by what it ought to do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import May, World
from martello.practices.resources.blast.model import Blast, Harm, Rights
from martello.practices.resources.blast.quotas import bounded_classes, bounded_pods, counted
from martello.practices.resources.blast.stage import Likeness, Stage, likeness
from martello.practices.resources.node import evict
from martello.practices.resources.node.model import Node, Part, Pod

TRIES: Final = 160  # blasts that a search may ask for
_PIDS: Final = 1024
_LEAST: Final = 16 * 2**20


class State(msgspec.Struct, frozen=True, eq=False):
    """What a blast is asked of."""

    cluster: Cluster
    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...]
    may: May | None = None


class Remedy(msgspec.Struct, frozen=True, eq=False):
    """One guard: `cost` counts those whom it concerns (1 the workload, 2 its namespace, 3 the
    nodes or the rights).
    """

    says: str
    cost: int
    resource: str
    change: Callable[[State], State]


class Remedies(msgspec.Struct, frozen=True, eq=False):
    """Guards that bring a blast down, and to what. `cheapest` where all cheaper ones were tried."""

    guards: tuple[Remedy, ...]
    before: float
    after: Blast
    cheapest: bool


def remedies(
    world: World,
    state: State,
    blast: Blast,
    target: float | None = None,
    crown: Collection[str] = frozenset(),
    tenants: Mapping[str, Collection[str]] | None = None,
) -> Remedies | None:
    """The cheapest guards after which the score is at most `target` (None: as low as all of them
    together bring it); None where they cannot, or there is nothing to do.
    """
    offers = list(_offers(world, blast))
    if not offers:
        return None
    state = _here(world, state, blast)

    def tried(chosen: Sequence[Remedy]) -> Blast:
        changed = state
        for one in chosen:
            changed = one.change(changed)
        after = World(changed.cluster, changed.pods, changed.nodes, changed.may, crown, tenants)
        after.weights = world.weights
        return after.blast(blast.attacker, blast.level)

    best = tried(offers)
    wanted = best.score if target is None else target
    if best.score > wanted or best.score >= blast.score:
        return None
    count = 1
    for chosen in _by_cost(offers):
        if count >= TRIES:
            break
        count += 1
        after = tried(chosen)
        if after.score <= wanted:
            return Remedies(tuple(chosen), blast.score, after, True)
    return _shrunk(offers, wanted, blast, tried)


def _by_cost(offers: Sequence[Remedy]) -> Iterator[tuple[Remedy, ...]]:
    """All sets, the cheapest first; of equal cost the smaller ones."""
    sets = [chosen for size in range(1, len(offers) + 1) for chosen in combinations(offers, size)]
    sets.sort(key=lambda chosen: (sum(one.cost for one in chosen), len(chosen)))
    yield from sets


def _shrunk(
    offers: Sequence[Remedy],
    wanted: float,
    blast: Blast,
    tried: Callable[[Sequence[Remedy]], Blast],
) -> Remedies:
    """All of them without those that are not needed, the dearest first."""
    kept = list(offers)
    after = tried(kept)
    for one in sorted(offers, key=lambda offer: -offer.cost):
        less = [other for other in kept if other is not one]
        found = tried(less)
        if found.score <= wanted:
            kept, after = less, found
    return Remedies(tuple(kept), blast.score, after, False)


def _here(world: World, state: State, blast: Blast) -> State:
    """Only the nodes on which the attacker is: other ones change nothing."""
    placed = msgspec.structs.replace(state, pods=world.pods)
    if blast.level != "container":
        return placed
    names = set(blast.places)
    return msgspec.structs.replace(
        placed,
        nodes=tuple(node for node in state.nodes if node.name in names),
        pods=tuple(pod for pod in world.pods if pod.node in names),
    )


def _offers(world: World, blast: Blast) -> Iterator[Remedy]:
    """What is worth trying: guards of resources that harm, or that nothing guards."""
    own = world.owners[blast.attacker]
    stages = list({pod.node: world.stages[pod.node] for pod in own}.values())
    for harm in blast.harms:
        if not harm.victims and harm.guard is not None:
            continue
        match harm.resource:
            case "cpu":
                yield from _cpu(blast.attacker, own)
            case "memory":
                yield from _memory(blast.attacker, own, stages)
            case "pids":
                yield _pids(stages)
            case "disk" | "inodes":
                yield from _disk(blast.attacker, own, stages, harm)
    if blast.level != "container":
        yield from _beyond(world, blast, own[0])


def _cpu(attacker: str, own: Sequence[Pod]) -> Iterator[Remedy]:
    need = max(caps.cpu_use(pod, part)[0] for pod in own for part in pod.parts)
    amount = max(100, -(-need * 3 // 2 // 50) * 50)
    yield _limit(attacker, "cpu", amount, f"cpu limit {amount}m", "cpu")


def _memory(attacker: str, own: Sequence[Pod], stages: Sequence[Stage]) -> Iterator[Remedy]:
    """Half as much again as is used or asked for, and no more than the nodes have left."""
    need = max(max(caps.memory_use(pod)[0], caps.asked(pod, "memory")) for pod in own)
    left = min((evict.room(stage.node, stage.pods, "memory") or 0 for stage in stages), default=0)
    amount = max(_LEAST, min(need * 3 // 2, need + max(0, left)))
    amount = -(-amount // _LEAST) * _LEAST
    parts = max(len(pod.parts) for pod in own)
    share = max(_LEAST, amount // parts)
    yield _limit(attacker, "memory", share, f"memory limit {caps.size(share)}", "memory")


def _disk(
    attacker: str, own: Sequence[Pod], stages: Sequence[Stage], harm: Harm
) -> Iterator[Remedy]:
    used = max(evict.use(pod, "disk") or 0 for pod in own)
    amount = max(2**28, -(-used * 3 // 2 // 2**28) * 2**28)
    if harm.resource == "disk":
        says = f"ephemeral-storage limit {caps.size(amount)}"
        yield _limit(attacker, "ephemeral-storage", amount, says, "disk")
    open_ = {volume.name for pod in own for volume in pod.volumes if volume.limit is None}
    roots = any(name == "" for pod in own for _, name in caps.writable(pod))
    if harm.resource == "disk" and open_ and not roots:
        yield Remedy(
            f"sizeLimit {caps.size(amount)} for the emptyDir {', '.join(sorted(open_))}",
            1,
            "disk",
            lambda state: _each(state, attacker, lambda pod: _sized(pod, amount)),
        )


def _sized(pod: Pod, amount: int) -> Pod:
    volumes = tuple(
        msgspec.structs.replace(volume, limit=amount) if volume.limit is None else volume
        for volume in pod.volumes
    )
    return msgspec.structs.replace(pod, volumes=volumes)


def _limit(attacker: str, name: str, amount: int, says: str, resource: str) -> Remedy:
    milli = amount if name == "cpu" else amount * 1000

    def bounded(part: Part) -> Part:
        if part.limits.get(name):
            return part
        held = max(milli, part.requests.get(name, 0))
        return msgspec.structs.replace(part, limits={**part.limits, name: held})

    def changed(pod: Pod) -> Pod:
        parts = tuple(map(bounded, pod.parts))
        limit = {**pod.limit, name: sum(part.limits[name] for part in parts)}
        return msgspec.structs.replace(pod, parts=parts, limit=limit)

    return Remedy(says, 1, resource, lambda state: _each(state, attacker, changed))


def _each(state: State, attacker: str, change: Callable[[Pod], Pod]) -> State:
    changed: dict[Likeness, Pod] = {}
    pods: list[Pod] = []
    for pod in state.pods:
        if pod.owner == attacker:
            kind = likeness(pod)
            if kind not in changed:
                changed[kind] = change(pod)
            pod = msgspec.structs.replace(changed[kind], name=pod.name)
        pods.append(pod)
    return msgspec.structs.replace(state, pods=tuple(pods))


def _pids(stages: Sequence[Stage]) -> Remedy:
    """As many as fit beside what the others have, where that is less than is usual."""
    left = min(stage.node.pids - stage.node.reserved_pids - stage.processes - 1 for stage in stages)
    amount = max(1, min(_PIDS, left))

    def held(node: Node) -> Node:
        kept = amount if node.pod_pids is None else min(amount, node.pod_pids)
        assumed = node.assumed - {"pod_pids"}
        return msgspec.structs.replace(node, pod_pids=kept, assumed=assumed)

    return Remedy(
        f"podPidsLimit {amount}",
        3,
        "pids",
        lambda state: msgspec.structs.replace(state, nodes=tuple(map(held, state.nodes))),
    )


def _beyond(world: World, blast: Blast, pod: Pod) -> Iterator[Remedy]:
    """Quotas of the namespaces that it may create in, and the rights themselves."""
    harms = {harm.resource: harm for harm in blast.harms}
    spaces = world.reach(pod, blast.level)
    named = ", ".join(spaces[:3]) + (f" and {len(spaces) - 3} more" if len(spaces) > 3 else "")
    if spaces and harms["placement"].victims:
        yield Remedy(
            f"quota of no pod of a priority class that is not used in {named}",
            2,
            "placement",
            lambda state: msgspec.structs.replace(
                state, cluster=bounded_classes(state.cluster, spaces, state.pods)
            ),
        )
    if spaces and any(harms[name].guard is None for name in ("memory", "placement")):
        yield Remedy(
            f"quota of pods, requests and limits with a LimitRange minimum in {named}",
            2,
            "memory",
            lambda state: msgspec.structs.replace(
                state, cluster=bounded_pods(state.cluster, spaces, state.pods)
            ),
        )
    kinds = world.kinds(pod, blast.level)
    if kinds and harms["objects"].victims and all(space for space, _, _ in kinds):
        homes = sorted({space for space, _, _ in kinds})
        yield Remedy(
            f"count/ quotas in {', '.join(homes[:3])}",
            2,
            "objects",
            lambda state: msgspec.structs.replace(state, cluster=counted(state.cluster, kinds)),
        )
    if blast.level == "token" and (harms["placement"].victims or harms["objects"].victims):
        yield Remedy(
            "no right of its token to create", 3, "placement", lambda state: _unarmed(state, pod)
        )


def _unarmed(state: State, pod: Pod) -> State:
    may = state.may

    def less(other: Pod) -> Rights:
        assert may is not None
        rights = may(other)
        if other.owner != pod.owner:
            return rights
        return msgspec.structs.replace(rights, pods=frozenset(), creates=frozenset())

    return msgspec.structs.replace(state, may=less)
