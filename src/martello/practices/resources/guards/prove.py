"""Guards are proved before anybody gets them: everything that is there, and every workload at its
most, goes through admission with them, and the blast radius is asked before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.amounts import text
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import May, blast_all
from martello.practices.resources.blast.model import Blast, Level
from martello.practices.resources.blast.objects import SERVER
from martello.practices.resources.blast.places import placed
from martello.practices.resources.guards.filling import Filled, fill
from martello.practices.resources.guards.generate import generate, variants, without
from martello.practices.resources.guards.kubelet import fragments
from martello.practices.resources.guards.model import (
    OWN,
    Evidence,
    Guards,
    Headroom,
    Proof,
    Refused,
    Score,
)
from martello.practices.resources.guards.patching import onto_pods
from martello.practices.resources.node.model import Node, Pod, Use
from martello.practices.resources.node.pods import pods as pods_of

_TRIES: Final = 8
_LAST: Final = 2  # the last level of a namespace
_NOTHING: Final = 3  # the level of kubelets at which nothing is left


class State(msgspec.Struct, frozen=True, eq=False):
    """What a blast is asked of, and at which levels; `use` is measured use by pod or workload."""

    nodes: Sequence[Node]
    use: Mapping[str, Use] = {}
    may: May | None = None
    crown: Callable[[Sequence[Pod]], Collection[str]] = lambda _: frozenset()
    tenants: Mapping[str, Collection[str]] = {}
    levels: tuple[Level, ...] = ("container",)


def proved(
    world: Cluster, namespaces: Sequence[str], evidence: Evidence, state: State
) -> tuple[Guards, Proof]:
    """Guards that hold, with their proof: what refuses a pod or raises a score is left out, and
    said so. Where nothing that can be left out helps, the proof tells what does not hold.
    """
    base = without(world)
    levels = dict.fromkeys(namespaces, 0)
    kubelets = 0
    left: list[str] = []
    before = Before(base, state)
    for _ in range(_TRIES):
        made = generate(
            base,
            namespaces,
            evidence,
            levels,
            fragments(state.nodes, before.pods, evidence.pids, kubelets),
        )
        proof = prove(base, made, before)
        if proof.holds:
            break
        guilty = {one.namespace for one in (*proof.refused, *proof.unassessed)}
        risen = {owner for score in proof.scores for owner in score.risen}
        guilty |= {owner.partition("/")[0] for owner in risen}
        lowered = [space for space in sorted(guilty) if levels.get(space, _LAST) < _LAST]
        for space in lowered:
            levels[space] += 1
            left.append(f"{space}: {_LEFT[levels[space]]}: {_why(proof, space)}")
        if not lowered:
            if not risen or kubelets >= _NOTHING:
                break
            kubelets += 1
            left.append(f"kubelets: {_KUBELETS[kubelets]}: {_why(proof, '')}")
    return msgspec.structs.replace(made, left=(*made.left, *left)), proof


_LEFT: Final = {
    1: "no defaults of cpu and memory, and no quota of them",
    2: "no defaults at all, and only numbers are bounded",
}
_KUBELETS: Final = {1: "no reserve", 2: "no threshold of processes", 3: "no settings"}


def _why(proof: Proof, space: str) -> str:
    for one in (*proof.refused, *proof.unassessed):
        if one.namespace == space or not space:
            return f"{one.object} would be refused ({one.says})"
    for score in proof.scores:
        for owner in score.risen:
            if not space or owner.startswith(f"{space}/"):
                return f"the blast of {owner} would be wider"
    return "the proof did not hold"


class Scores:
    """The blasts of all attackers, the worst first."""

    def __init__(self, blasts: Sequence[Blast]) -> None:
        self.blasts = blasts
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
    world: Cluster, pods: Sequence[Pod], nodes: Sequence[Node], level: Level, state: State
) -> Scores:
    """The blasts of every attacker of one level."""
    may = None if level == "container" else state.may
    crown = frozenset(state.crown(pods))
    blasts = blast_all(world, pods, nodes, level, may, crown, state.tenants)
    return Scores(blasts)


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


def prove(base: Cluster, made: Guards, before: Before) -> Proof:
    """The proof of guards that are put into a world without any of ours."""
    guarded = base.apply(made.objects)
    spaces = sorted(
        {one.ref.namespace for one in made.objects} | {one.ref.namespace for one in made.patches}
    )
    refused: list[Refused] = []
    already: list[Refused] = []
    doubt: list[Refused] = []
    headroom: dict[tuple[str, str, str], list[int]] = {}
    stored: list[Resource] = []
    counts = {"pods": 0, "workloads": 0, "at_most": 0, "objects": 0}
    for number, world in enumerate(variants(guarded, made.patches)):
        for space in spaces:
            now, most = fill(world, space, "now"), fill(world, space, "at most")
            known = before.kept_out(space)
            for one in (now, most):
                for each in one.refused:
                    (already if (each.object, each.when) in known else refused).append(each)
                doubt += [e for e in one.unassessed if (e.object, e.when) not in known]
            for place, one in enumerate((now, most)):
                _room(one, space, place, headroom)
            if number == 0:
                stored += now.stored
                counts["pods"] += now.pods
                counts["workloads"] += most.workloads
                counts["at_most"] += most.pods
                counts["objects"] += now.objects
    refused += _crowded(made, headroom)
    return Proof(
        **counts,
        refused=tuple(dict.fromkeys(refused)),
        already=tuple(dict.fromkeys(already)),
        unassessed=tuple(dict.fromkeys(doubt)),
        headroom=tuple(Headroom(*key, *amounts) for key, amounts in headroom.items()),
        scores=tuple(_scores(guarded, made, stored, headroom, before)),
    )


def _room(one: Filled, space: str, place: int, into: dict[tuple[str, str, str], list[int]]) -> None:
    for quota in one.quotas:
        name = quota.resource.ref.name
        if name.startswith(OWN) and not quota.scopes:
            for key, bound in quota.hard.items():
                held = into.setdefault((space, name, key), [0, 0, bound])
                held[place] = max(held[place], quota.used.get(key, 0))


def _crowded(made: Guards, headroom: Mapping[tuple[str, str, str], list[int]]) -> Iterator[Refused]:
    """What will gather beside what runs, and does not fit."""
    for (space, name, key), (now, most, bound) in headroom.items():
        old = made.history.get(space, {}).get(key, 0)
        if max(now, most) + old > bound:
            says = f"{key} {text(bound)} leaves no room for {old // 1000} old ones"
            yield Refused(f"ResourceQuota {space}/{name}", space, "at most", 403, says)


def _scores(
    guarded: Cluster,
    made: Guards,
    stored: Sequence[Resource],
    headroom: Mapping[tuple[str, str, str], list[int]],
    before: Before,
) -> Iterator[Score]:
    """Before and after, of attackers in the namespaces that are guarded. Pods that are there are
    taken as they will be once they are made anew.
    """
    state = before.state
    spaces = {one.ref.namespace for one in made.objects}
    spaces |= {one.ref.namespace for one in made.patches}
    patched = guarded.apply((*(patch.after for patch in made.patches), *_filled(made, headroom)))
    after = patched.apply(stored) if before.world.name else patched
    if before.world.name and made.patches:
        after = after.apply(onto_pods(after, made.patches))
    known = {node.name: node for fragment in made.fragments for node in fragment.nodes}
    nodes = tuple(known.get(node.name, node) for node in state.nodes)
    pods = before.placed(pods_of(after, before.use))
    for level, old in before.scores().items():
        found = [old, scores(after, pods, state.nodes, level, state)]
        if known:
            found.append(scores(after, pods, nodes, level, state))
        if not all(one.of for one in found):
            continue
        risen = {
            owner
            for new in found[1:]
            for owner, score in new.of.items()
            if score > old.of.get(owner, score)
        }
        asked = [one.of_spaces(spaces) for one in found]
        last = asked[-1][0]
        yield Score(
            level,
            tuple(one[0].score for one in asked),
            tuple(round(sum(b.score for b in one) / len(one), 1) for one in asked),
            tuple(sorted(risen)),
            _worst(last) if last.score else "",
        )


def _filled(made: Guards, headroom: Mapping[tuple[str, str, str], list[int]]) -> Iterator[Resource]:
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
