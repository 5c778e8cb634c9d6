"""`resources blast`: the engine asked about a world, and its answers in the words of the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from martello.cli.config import load_config
from martello.cli.errors import nearest
from martello.cli.outputs import write_each
from martello.cli.progress import Progress
from martello.cli.reports import Output
from martello.cli.resources.blast_words import line_of, row_about, worst_of
from martello.cli.resources.bounding import spaces_of
from martello.cli.resources.kubelets import Kubelets, kubelets
from martello.cli.resources.opening import Opened, opened, place
from martello.cli.resources.shared import beside, shared_by, told_once, without, worst_first
from martello.cli.resources.stands import stands
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.finding import rank
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Level
from martello.practices.resources.blast.refs import workload
from martello.practices.resources.blast.remedy import Remedies, State, remedies
from martello.practices.resources.blast.score import gravity
from martello.practices.resources.node.model import Pod
from martello.practices.resources.node.pods import absent, pods
from martello.practices.resources.node.settings import nodes
from martello.report.model import Screen
from martello.report.resources.blast.model import Advice, Row, Told

_ADVISED: Final = 3  # rows for which guards are looked for where all are asked about


def blast_command(words: Sequence[str], outputs: Sequence[Output], flags: dict[str, Any]) -> int:
    """Writes what was found; the exit code. Raises BadInput, and what reading raises."""
    if flags["folder"]:
        from martello.cli.resources.remedying import remedy_command

        return remedy_command(words, outputs, flags)
    told = look(words, flags)

    def write(format: str, screen: Screen, out: IO[str]) -> None:
        module = import_module(f"martello.report.resources.blast.{format}")
        if format == "text":
            module.write(told, screen, out)
        else:
            module.write(told, out)

    write_each(outputs, write)
    return told.exit


def look(
    words: Sequence[str],
    flags: dict[str, Any],
    keep: Callable[[Opened, State, Remedies | None], None] | None = None,
) -> Told:
    """The blasts of the workloads that are named, or of all. `keep` is told what was asked, and the
    guards that were found for each.
    """
    seen = opened(flags)
    spaces_of(seen, flags)  # whoever names a namespace that is not here is told so
    with Progress() as progress:
        progress("looking at nodes and pods")
        known = kubelets(flags["kubelets"], seen.reading, flags)
        state, cluster = _state(seen, known, flags)
        crown = crown_of(state.pods)
        tenants = _tenants(cluster, flags["tenant_label"])
        world = World(cluster, state.pods, state.nodes, state.may, crown, tenants)
        level: Level = flags["level"]
        unplaced = tuple(dict.fromkeys((*world.left, *absent(cluster, state.pods))))
        asked = _asked(world, unplaced, words, flags["namespaces"], level)
        progress("bounding what each container takes")
        found = [world.blast(owner, level) for owner in asked]
        common = not words and flags["target"] is None and shared_by(found, level)
        left = {one.attacker: without(one, world) for one in found} if common else {}
        found.sort(key=lambda one: _order(one, left.get(one.attacker), crown))
        told = keep and partial(keep, seen, state)
        find = _advisor(world, state, crown, tenants, flags["target"], told)
        most = len(found) if words or flags["target"] is not None else _ADVISED
        rows = [
            _row(one, world, crown, find(one) if place_ < most else None, seen, left)
            for place_, one in enumerate(found)
        ]
    result = _told(world, rows, found, unplaced, seen, known, words, flags)
    return msgspec.structs.replace(result, shared=told_once(found, rows)) if common else result


def _state(seen: Opened, known: Kubelets, flags: dict[str, Any]) -> tuple[State, Cluster]:
    """Nodes and pods; beyond containers, whose rights count, with the roles of every cluster."""
    cluster, may = seen.cluster, None
    if flags["level"] != "container":
        from martello.cli.access.opening import world_of
        from martello.cli.resources.rights import may as rights
        from martello.practices.access import access

        cluster = world_of(seen.reading)
        may = rights(cluster, access(cluster))
    found = nodes(cluster, known.configurations, known.stats)
    return State(cluster, pods(cluster, known.use), found, may), cluster


def _asked(
    world: World,
    unplaced: Sequence[str],
    words: Sequence[str],
    namespaces: Sequence[str],
    level: Level,
) -> list[str]:
    """The workloads that are meant; where whole namespaces attack, one of each stands for all of
    it. Raises BadInput for a word that means none.
    """
    if not words:
        inside = [o for o in world.owners if not namespaces or o.partition("/")[0] in namespaces]
        if level in ("container", "token"):
            return inside
        return list({owner.partition("/")[0]: owner for owner in reversed(inside)}.values())[::-1]
    found: dict[str, None] = {}
    for word in words:
        here = [owner for owner in world.owners if _meant(owner, word, namespaces)]
        if not here and any(_meant(owner, word, namespaces) for owner in unplaced):
            raise BadInput(
                f"{word[:100]} is on no node",
                "it has no pod, or no node takes one: whom it could hurt is not known",
                "see its nodeSelector, affinity and tolerations, and the nodes' taints",
            )
        if not here:
            near = nearest(word, [owner.partition("/")[2] for owner in world.owners] or [word])
            raise BadInput(
                f"no such workload: {word[:100]}",
                f"the nearest is {near}" if world.owners else "no pod is on any node",
                "name deploy/web, shop/deploy/web, or none for all",
            )
        found.update(dict.fromkeys(here))
    return list(found)


def _meant(owner: str, word: str, namespaces: Sequence[str]) -> bool:
    space, _, rest = owner.partition("/")
    if namespaces and space not in namespaces:
        return False
    return word in (owner, rest, rest.partition("/")[2])


def crown_of(found: Sequence[Pod]) -> frozenset[str]:
    """The workloads that [crown] of the configuration names: by namespace, or by account."""
    crown = load_config({}, Path.cwd(), os.environ).crown
    spaces, accounts = set(crown["namespaces"]), set(crown["accounts"])
    return frozenset(
        pod.owner
        for pod in found
        if pod.namespace in spaces or f"{pod.namespace}/{_account(pod)}" in accounts
    )


def _account(pod: Pod) -> str:
    spec = pod.raw.get("spec")
    name = spec.get("serviceAccountName") if isinstance(spec, dict) else None
    return name if isinstance(name, str) and name else "default"


def _tenants(cluster: Cluster, label: str) -> dict[str, frozenset[str]]:
    """By namespace: those with the same value of the label."""
    groups: dict[str, set[str]] = {}
    for space in cluster.of_kind("Namespace"):
        value = space.labels.get(label)
        if value:
            groups.setdefault(value, set()).add(space.ref.name)
    return {name: frozenset(group) for group in groups.values() for name in group}


def _order(
    one: Blast, left: Blast | None, crown: frozenset[str]
) -> tuple[tuple[int, float, int, str], ...]:
    """The worst first; where nearly all share one gap, by what is left without it."""
    whole = worst_first(one, crown)
    return (whole,) if left is None else (worst_first(left, crown), whole)


def _advisor(
    world: World,
    state: State,
    crown: frozenset[str],
    tenants: Mapping[str, frozenset[str]],
    target: float | None,
    keep: Callable[[Remedies | None], None] | None,
) -> Callable[[Blast], Advice | None]:
    def find(one: Blast) -> Advice | None:
        if target is not None and one.score <= target:
            return None
        found = remedies(world, state, one, target, crown, tenants)
        if keep is not None:
            keep(found)
        if found is None:
            return None
        says = tuple(guard.says for guard in found.guards)
        return Advice(says, found.before, found.after.score, found.cheapest)

    return find


def _row(
    one: Blast,
    world: World,
    crown: frozenset[str],
    advice: Advice | None,
    seen: Opened,
    left: Mapping[str, Blast],
) -> Row:
    own = world.owners[one.attacker]
    resource = workload(seen.cluster, own[0])
    return Row(
        attacker=one.attacker,
        where=place(resource) if resource is not None else "",
        about=row_about(one, own),
        severity=gravity(one, crown),
        score=one.score,
        worst=worst_of(one),
        lines=tuple(line_of(harm, world, own, seen.cluster) for harm in one.harms),
        places=tuple(name for name in one.places if name),
        advice=advice,
        beside=beside(left[one.attacker], crown) if left else None,
    )


def _told(
    world: World,
    rows: Sequence[Row],
    found: Sequence[Blast],
    unplaced: Sequence[str],
    seen: Opened,
    known: Kubelets,
    words: Sequence[str],
    flags: dict[str, Any],
) -> Told:
    fail_on = flags["fail_on"] or "high"
    unknown = [line for row in rows for line in row.lines if line.exact == "unassessed"]
    notes = list(known.notes)
    nothing = "" if rows else _nothing(unplaced, flags["namespaces"])
    if not rows:
        pass  # of nodes that nobody stands on nothing is to be said
    elif any(not name for name in world.stages):
        notes.append("no Node objects: one node of 4 cores, 16Gi and 100Gi stands for all")
    elif any("capacity" in stage.node.assumed for stage in world.stages.values()):
        notes.append("nodes that are not here are taken for ones of 4 cores, 16Gi and 100Gi")
    spaces = flags["namespaces"]
    unplaced = [one for one in unplaced if not spaces or one.partition("/")[0] in spaces]
    if words:  # those that are named are all judged
        unplaced = []
    if unplaced:
        listed = ", ".join(unplaced[:3]) + (" …" if len(unplaced) > 3 else "")
        notes.append(f"not judged, as they have no pod on any node: {listed}")
    if not words and flags["level"] in ("namespace", "tenant"):
        notes.append("one workload of each namespace is shown: its neighbours there reach as far")
    if world.guessed:
        notes.append("pods without a node were put where the scheduler would put them")
    settings = sorted({word for line in unknown for word in line.assumed})
    if settings:
        listed = ", ".join(settings[:8]) + (" …" if len(settings) > 8 else "")
        notes.append(f"? is decided by what nobody told, here assumed: {listed} (--kubelet FILE)")
    target = flags["target"]
    return Told(
        level=flags["level"],
        rows=tuple(rows),
        nodes=stands(world, found),
        pods=len(world.pods),
        fail_on=fail_on,
        single=bool(words),
        target=target,
        notes=tuple(notes),
        missing=seen.missing,
        unassessed=len(unknown) + len(unplaced),
        nothing=nothing,
        exit=_exit(
            rows, fail_on, target, bool(unknown or unplaced or seen.missing or nothing), flags
        ),
    )


def _nothing(unplaced: Sequence[str], namespaces: Sequence[str]) -> str:
    """Why no workload can be judged."""
    where = f" in {', '.join(namespaces)}" if namespaces else " here"
    return f"no workload{where} has a pod on any node" if unplaced else f"no workloads{where}"


def _exit(
    rows: Sequence[Row],
    fail_on: str,
    target: float | None,
    unknown: bool,
    flags: dict[str, Any],
) -> int:
    limit = -1 if fail_on == "never" else rank(fail_on)
    if any(row.severity and rank(row.severity) <= limit for row in rows):
        return 1
    if target is not None and any(row.score > target for row in rows):
        return 1
    return 3 if unknown and not flags["allow_incomplete"] else 0
