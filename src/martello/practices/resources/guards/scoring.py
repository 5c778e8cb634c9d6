"""The blasts of a world before its guards and after, with what each workload weighs held fast: no
guard may make one wider, and no priority may change unless a patch says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.amounts import text
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import May, World
from martello.practices.resources.blast.model import Blast, Level
from martello.practices.resources.blast.objects import SERVER
from martello.practices.resources.blast.places import placed
from martello.practices.resources.blast.score import Weights
from martello.practices.resources.guards import platform
from martello.practices.resources.guards.filling import fill
from martello.practices.resources.guards.model import Guards, Score
from martello.practices.resources.guards.patching import onto_pods
from martello.practices.resources.node.model import Node, Pod, Use
from martello.practices.resources.node.pods import owner_of
from martello.practices.resources.node.pods import pods as pods_of

Rooms = Mapping[tuple[str, str, str], list[int]]  # by namespace, quota, key: now, at most, bound


class State(msgspec.Struct, frozen=True, eq=False):
    """What a blast is asked of, and at which levels; `use` is measured use by pod or workload."""

    nodes: Sequence[Node]
    use: Mapping[str, Use] = {}
    may: May | None = None
    crown: Callable[[Sequence[Pod]], Collection[str]] = lambda _: frozenset()
    tenants: Mapping[str, Collection[str]] = {}
    levels: tuple[Level, ...] = ("container",)


class Scores:
    """The blasts of all attackers, the worst first, and what each workload weighs in them."""

    def __init__(self, blasts: Sequence[Blast], weights: Weights) -> None:
        self.blasts = blasts
        self.weights = weights
        self.of = {one.attacker: one.score for one in blasts}

    def of_spaces(self, spaces: Collection[str]) -> list[Blast]:
        """Those of attackers in these namespaces; of all where there are none."""
        found = [one for one in self.blasts if one.attacker.partition("/")[0] in spaces]
        return found or list(self.blasts)


class Before:
    """The world without guards: what it refuses already, and its blasts. Worked out once."""

    def __init__(self, world: Cluster, state: State) -> None:
        self.world = world
        self.state = state
        self.pods = pods_of(world, state.use)
        self.use = dict(_as_it_is(self.pods, state.use))
        self.watched = platform.relied_on(world, state.crown(self.pods))
        self.refused: dict[str, set[tuple[str, str]]] = {}
        self._nodes = {pod.key: pod.node for pod in placed(self.pods, state.nodes)[0]}
        self._scores: dict[Level, Scores] | None = None

    def kept_out(self, space: str) -> set[tuple[str, str]]:
        """What is refused without any guard: (object, when)."""
        found = self.refused.get(space)
        if found is None:
            fills = [fill(self.world, space, when) for when in ("now", "at most")]
            found = self.refused[space] = {
                (one.object, one.when) for f in fills for one in (*f.refused, *f.unassessed)
            }
        return found

    def placed(self, pods: Sequence[Pod]) -> tuple[Pod, ...]:
        """The same pods, each on the node where it was before: guards move nobody."""
        return tuple(
            msgspec.structs.replace(pod, node=self._nodes.get(pod.key, pod.node)) for pod in pods
        )

    def scores(self) -> dict[Level, Scores]:
        """By level and attacker."""
        if self._scores is None:
            pods = self.placed(pods_of(self.world, self.use))
            self._scores = {
                level: scores(self.world, pods, self.state.nodes, level, self.state)
                for level in self.state.levels
            }
        return self._scores


def scores(
    world: Cluster,
    pods: Sequence[Pod],
    nodes: Sequence[Node],
    level: Level,
    state: State,
    weights: Weights | None = None,
) -> Scores:
    """The blasts of every attacker of one level. With `weights` of before: a priority class raises
    what a workload weighs, which makes no harm greater.
    """
    may = None if level == "container" else state.may
    whole = World(world, pods, nodes, may, frozenset(state.crown(pods)), state.tenants)
    if weights is not None:
        whole.weights = weights
    found = [whole.blast(owner, level) for owner in whole.owners]
    found.sort(key=lambda one: (-one.score, one.attacker))
    return Scores(found, whole.weights)


_DONE: Final = {
    "no fork": "cannot fork",
    "unschedulable": "must give way",
    "blocked": "cannot write",
}


def _worst(one: Blast) -> str:
    """What the worst attacker does."""
    hurting = [harm for harm in one.harms if harm.victims]
    if not hurting:
        return f"{one.attacker}: not all has a bound, nobody is hurt"
    harm = max(hurting, key=lambda h: (h.victims[0].key == SERVER, len(h.victims)))
    first = harm.victims[0]
    if first.key == SERVER:
        return f"{one.attacker} fills etcd: {harm.why}"
    done = _DONE.get(first.effect, first.effect)
    return f"{one.attacker} by {harm.resource}: {len(harm.victims)} {done}, first {first.key}"


class Seen(msgspec.Struct, frozen=True, eq=False):
    """What blasts say of guards: the scores, whose priority would change unasked, who ends pods of
    what others rely on.
    """

    scores: tuple[Score, ...]
    moved: tuple[str, ...]
    ended: platform.Ends


def blasts(
    guarded: Cluster,
    made: Guards,
    stored: Sequence[Resource],
    headroom: Rooms,
    before: Before,
) -> Seen:
    """Before and after, of attackers in the namespaces that are guarded; who ends whom after; whose
    priority changes. Pods that are there are taken as they will be once they are made anew.
    """
    patched = guarded.apply((*(patch.after for patch in made.patches), *_filled(made, headroom)))
    after = patched.apply(stored) if before.world.name else patched
    if before.world.name and made.patches:
        after = after.apply(onto_pods(after, made.patches))
    pods = before.placed(pods_of(after, before.use))
    told: list[Score] = []
    last: list[Blast] = []
    for level in before.state.levels:
        found = _levelled(after, pods, made, before, level)
        if all(one.of for one in found):
            told.append(_score(level, found, made))
        last += found[1].blasts
    ended = platform.ends(last, before.watched)
    return Seen(tuple(told), tuple(_moved(pods, made, before)), ended)


def _levelled(
    after: Cluster, pods: Sequence[Pod], made: Guards, before: Before, level: Level
) -> list[Scores]:
    """Before, with the objects, and with the kubelets' settings, too."""
    state, old = before.state, before.scores()[level]
    found = [old, scores(after, pods, state.nodes, level, state, old.weights)]
    known = {node.name: node for fragment in made.fragments for node in fragment.nodes}
    if known:
        nodes = tuple(known.get(node.name, node) for node in state.nodes)
        found.append(scores(after, pods, nodes, level, state, old.weights))
    return found


def _score(level: Level, found: Sequence[Scores], made: Guards) -> Score:
    old = found[0]
    risen = {
        owner
        for new in found[1:]
        for owner, score in new.of.items()
        if score > old.of.get(owner, score)
    }
    spaces = {one.ref.namespace for one in made.objects}
    spaces |= {one.ref.namespace for one in made.patches}
    asked = [one.of_spaces(spaces) for one in found]
    last = asked[-1][0]
    return Score(
        level,
        tuple(one[0].score for one in asked),
        tuple(round(sum(b.score for b in one) / len(one), 1) for one in asked),
        tuple(sorted(risen)),
        _worst(last) if last.score else "",
        tuple(one.of for one in found[1:]),
    )


def _moved(pods: Sequence[Pod], made: Guards, before: Before) -> list[str]:
    """Workloads whose pods have another priority than before, or may displace others where they
    could not, though no patch says so.
    """
    patched = {
        f"{patch.ref.namespace}/{owner_of(before.world, patch.after)}"
        for patch in made.patches
        if "priorityClassName" in patch.pod
    }
    old = {pod.key: (pod.priority, pod.preempts) for pod in before.pods}
    return sorted(
        {
            pod.owner
            for pod in pods
            if pod.owner not in patched
            and old.get(pod.key, (pod.priority, pod.preempts)) != (pod.priority, pod.preempts)
        }
    )


def _filled(made: Guards, headroom: Rooms) -> Iterator[Resource]:
    """The quotas as their controller will keep them."""
    for one in made.objects:
        if one.ref.kind == "ResourceQuota":
            bound = one.spec["hard"]
            used = {
                key: text(headroom.get((one.ref.namespace, one.ref.name, key), [0])[0])
                for key in bound
            }
            yield msgspec.structs.replace(
                one, raw={**one.raw, "status": {"hard": bound, "used": used}}
            )


def _as_it_is(pods: Sequence[Pod], use: Mapping[str, Use]) -> Iterator[tuple[str, Use]]:
    """What each pod uses, measured or taken for granted: guards change what is asked for, not what
    is used.
    """
    yield from use.items()
    for pod in pods:
        for part in pod.parts:
            key = f"{pod.key}/{part.name}"
            if key not in use:
                cpu, memory = caps.cpu_use(pod, part)[0], caps.part_memory(part)
                yield key, msgspec.structs.replace(part.use, cpu=cpu, memory=memory)
