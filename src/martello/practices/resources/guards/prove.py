"""Guards are proved before anybody gets them: everything that is there, and every workload at its
most, goes through admission with them, and the blast radius is asked before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.resources.amounts import text
from martello.practices.resources.blast.classes import KIND
from martello.practices.resources.guards import platform
from martello.practices.resources.guards.filling import Filled, fill
from martello.practices.resources.guards.generate import Raised, generate, variants, without
from martello.practices.resources.guards.kubelet import fragments
from martello.practices.resources.guards.model import (
    OWN,
    PLATFORM,
    Evidence,
    Guards,
    Headroom,
    Kept,
    Proof,
    Refused,
)
from martello.practices.resources.guards.scoring import Before, State, blasts

_TRIES: Final = 8
_LAST: Final = 2  # the last level of a namespace
_NOTHING: Final = 3  # the level of kubelets at which nothing is left


def proved(
    world: Cluster, namespaces: Sequence[str], evidence: Evidence, state: State
) -> tuple[Guards, Proof]:
    """Guards that hold, with their proof: what refuses a pod or raises a score is left out, and
    said so. Where nothing that can be left out helps, the proof tells what does not hold.
    """
    base = without(world)
    before = Before(base, state)
    levels = dict.fromkeys(namespaces, 0)
    kubelets = 0
    left: list[str] = []

    def tried(raised: Raised | None = None) -> tuple[Guards, Proof]:
        settings = fragments(state.nodes, before.pods, evidence.pids, kubelets)
        made = generate(base, namespaces, evidence, levels, settings, raised)
        return made, prove(base, made, before)

    for _ in range(_TRIES):
        made, proof = tried()
        if proof.holds:
            made, proof, more = _raised(made, proof, before, namespaces, tried)
            left += more
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


def _raised(
    made: Guards,
    proof: Proof,
    before: Before,
    namespaces: Sequence[str],
    tried: Callable[[Raised], tuple[Guards, Proof]],
) -> tuple[Guards, Proof, list[str]]:
    """The same guards with a priority class for what others rely on and can end all the same, where
    that helps; else as they are, and why.
    """
    why = {
        owner: before.watched[owner]
        for owner in platform.raisable(before.pods, proof.ended, namespaces)
    }
    while why:  # again with those alone whom it helps
        if KIND in before.world.unlisted:
            return made, proof, [f"PriorityClass {PLATFORM}: those that are there were not read"]
        to = platform.platform_class(before.world, before.pods, why)
        if to is None:
            return made, proof, [f"PriorityClass {PLATFORM}: no class may be above those in use"]
        found, shown = tried(Raised(to, why))
        if not shown.holds:
            return made, proof, [f"PriorityClass {PLATFORM}: {_why(shown, '')}"]
        wider = _wider(proof, shown, {owner.partition("/")[0] for owner in why})
        if wider:
            says = f"the blast of {wider} would be wider than without it"
            return made, proof, [f"PriorityClass {PLATFORM}: {says}"]
        helped = [o for o in why if shown.ended.get(o, frozenset()) < proof.ended[o]]
        if len(helped) == len(why):
            kept = tuple(_kept(owner, proof, shown) for owner in helped)
            return found, msgspec.structs.replace(shown, kept=kept), []
        why = {owner: why[owner] for owner in helped}
    return made, proof, []


def _wider(one: Proof, other: Proof, spaces: Collection[str]) -> str:
    """An attacker whose score is higher in the second proof; of those that are not in namespaces
    where the class is: who takes over what lasts longer lasts longer, too.
    """
    for old, new in zip(one.scores, other.scores, strict=True):
        for before, after in zip(old.of, new.of, strict=True):
            for owner, score in after.items():
                if score > before[owner] and owner.partition("/")[0] not in spaces:
                    return owner
    return ""


def _kept(owner: str, before: Proof, after: Proof) -> Kept:
    old, new = (
        Counter(resource for _, resource in proof.ended.get(owner, ())) for proof in (before, after)
    )
    return Kept(owner, tuple((r, n, new[r]) for r, n in sorted(old.items()) if new[r] < n))


_LEFT: Final = {
    1: "no defaults of cpu and memory, and no quota of them",
    2: "no defaults at all, and only numbers are bounded",
}
_KUBELETS: Final = {1: "no reserve", 2: "no threshold of processes", 3: "no settings"}


def _why(proof: Proof, space: str) -> str:
    for one in (*proof.refused, *proof.unassessed):
        if one.namespace == space or not space:
            return f"{one.object} would be refused ({one.says})"
    for owner in proof.moved:
        return f"the priority of {owner} would change"
    for score in proof.scores:
        for owner in score.risen:
            if not space or owner.startswith(f"{space}/"):
                return f"the blast of {owner} would be wider"
    return "the proof did not hold"


def prove(base: Cluster, made: Guards, before: Before) -> Proof:
    """The proof of guards that are put into a world without any of ours."""
    guarded = base.apply((*made.classes, *made.objects))
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
    seen = blasts(guarded, made, stored, headroom, before)
    return Proof(
        **counts,
        refused=tuple(dict.fromkeys(refused)),
        already=tuple(dict.fromkeys(already)),
        unassessed=tuple(dict.fromkeys(doubt)),
        headroom=tuple(Headroom(*key, *amounts) for key, amounts in headroom.items()),
        scores=seen.scores,
        moved=seen.moved,
        ended=seen.ended,
        kept=(),
    )


def _room(one: Filled, space: str, place: int, into: dict[tuple[str, str, str], list[int]]) -> None:
    for quota in one.quotas:
        name = quota.resource.ref.name
        if name.startswith(OWN) and any(quota.hard.values()):
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
