"""Paths of footholds to goals, in classes: which footholds share a way, and its cheapest path."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from martello.paths.built import ANY_NODE, ANY_SECRETS, CLUSTER_ADMIN, INTERNET
from martello.paths.cut import cheapest_cut, one_proof
from martello.paths.facts import Facts
from martello.paths.hitting import BUDGET
from martello.paths.horn import closure, relevant
from martello.paths.model import FOREVER, Cut, Edit, Path, PathClass, Proposition, Step
from martello.paths.must import must
from martello.paths.own import apart, holders, together
from martello.paths.pods import Class
from martello.paths.proof import Proofs, towards
from martello.paths.reach import reach
from martello.paths.use import Used
from martello.practices.access.defaults import PLATFORM

ANONYMOUS: Final[Proposition] = ("anonymous",)
GOALS: Final = (CLUSTER_ADMIN, ANY_NODE, ANY_SECRETS)
SEVERITIES: Final = ("low", "medium", "high", "critical")
_SYSTEM: Final = ("kube-system", "kube-public", "kube-node-lease")
# Pods of the control plane, as kubeadm and others call them.
_PARTS: Final = (
    *("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"),
    *("cloud-controller-manager", "etcd", "coredns", "kube-dns"),
)
_LIMIT: Final = 20


class Options(msgspec.Struct, frozen=True):
    """How paths are looked for. `system` takes identities of the control plane as footholds too;
    `limit` is how many classes are proved (0: all); `weights` replaces those of edits, by id;
    `keep` are ids of edits, or refs as they are written in them, that must stay; `seen` is
    evidence of use; `own` are goals beside the usual ones, which pods that were
    given them may have.
    """

    system: bool = False
    limit: int = _LIMIT
    weights: Mapping[str, int] = {}
    keep: tuple[str, ...] = ()
    seen: Used | None = None
    own: tuple[Proposition, ...] = ()
    budget: int = BUDGET


_PLAIN: Final = Options()


def footholds_of(facts: Facts, options: Options = _PLAIN) -> tuple[Proposition, ...]:
    """Everybody whom an attacker may begin as: the internet, somebody without credentials, the
    pods of each workload, each user and group that is bound. Of kube-system, agents that run there
    count; the control plane itself does not.
    """
    world = facts.world
    found: list[Proposition] = [INTERNET, ANONYMOUS]
    found += [
        ("pods-of", cls.id) for cls in world.classes if options.system or not _of_control_plane(cls)
    ]
    for kind, names in (("user", world.users), ("group", world.groups)):
        found += [(kind, n) for n in names if options.system or not n.startswith(PLATFORM)]
    bound = {one.who for one in world.held if one.who[0] == "account"}
    used = {(cls.namespace, cls.account) for cls in world.classes}
    found += [
        who
        for who in sorted(bound)
        if (who[1], who[2]) not in used and (options.system or who[1] not in _SYSTEM)
    ]
    return tuple(found)


def _of_control_plane(cls: Class) -> bool:
    return cls.namespace in _SYSTEM and cls.id.partition("/")[2].startswith(_PARTS)


def find(
    facts: Facts,
    *,
    footholds: Iterable[Proposition] | None = None,
    goals: Iterable[Proposition] | None = None,
    options: Options = _PLAIN,
) -> tuple[PathClass, ...]:
    """The classes of paths, the worst first. A foothold that is a goal is no path; one that leads
    to cluster-admin is not told again for the usual goals, which an administrator has anyway.
    Nor is a pod told that was given a goal of `options.own`.
    """
    asked = tuple(goals) if goals is not None else (*GOALS, *options.own)
    begun = tuple(footholds) if footholds is not None else footholds_of(facts, options)
    program = facts.program
    starts = {n: one for one in begun if (n := program.find(one)) is not None}
    ends = [n for one in asked if (n := program.find(one)) is not None]
    numbers = list(starts)
    rules = relevant(program, ends, closure(program, numbers))
    who = reach(program, numbers, rules)
    groups: list[_Group] = []
    told = 0
    for end in ends:
        left = who[end]
        if goals is None and program.names[end] in GOALS:
            left, told = left & ~told, told | left
        has = holders(facts, program.names[end]) if program.names[end] in options.own else ()
        here = [
            one
            for bit, one in enumerate(numbers)
            if left >> bit & 1 and one != end and starts[one] not in has
        ]
        groups.extend(_groups(facts, here, end, rules, options))

    def order(one: PathClass) -> tuple[int, int, int]:
        return -SEVERITIES.index(one.severity), asked.index(one.goal), one.path.cost

    groups.sort(key=lambda g: (-g.most, asked.index(program.names[g.end]), g.cost))
    found: list[PathClass] = []
    for group in groups:
        worse = sum(SEVERITIES.index(one.severity) > group.most for one in found)
        if options.limit and worse >= options.limit:
            break  # none that is left can come before these
        proved = one_proof(program, group.members, [group.end], (), rules)
        if proved is not None:
            path = proved[0].path(group.end)
            severity, why = _severity(path, options)
            names = tuple(program.names[number] for number in group.members)
            found.append(PathClass(path.goal, names, path, severity, (), why))
    found.sort(key=order)
    return tuple(_told(facts, one, rules) for one in found[: options.limit or None])


# What an attacker has of the pods that he begins in: their ways part after that.
_OWN: Final = frozenset(("pods-of", "pod", "code"))


class _Group(msgspec.Struct, frozen=True):
    """Footholds whose cheapest way leads over the same thing: `most` is how grave their path can be
    at most, `cost` what it costs at least.
    """

    end: int
    most: int
    cost: int
    members: list[int]


def _groups(
    facts: Facts, footholds: Sequence[int], end: int, rules: Collection[int], options: Options
) -> Iterable[_Group]:
    """Footholds of one kind in groups, of each kind the nearest ones."""
    names = facts.program.names
    costs, nexts = towards(facts.program, end, rules)
    kinds: dict[str, dict[int, list[int]]] = {}
    for one in footholds:
        first = nexts.get(one, end)
        while names[first][0] in _OWN and first in nexts:
            first = nexts[first]
        kinds.setdefault(names[one][0], {}).setdefault(first, []).append(one)
    for kind, groups in kinds.items():
        most = _level(kind, names[end]) + (options.seen is not None)
        told = [
            _Group(end, min(3, most), min(costs[n] for n in members), members)
            for members in groups.values()
        ]
        yield from sorted(told, key=lambda g: (g.cost, g.members))[: options.limit or None]


_QUIET: Final = frozenset(("scope", "role", "part", "one-request", "goal"))


def shown(path: Path) -> Path:
    """The path without steps that only spell out what the ones before gave. A grant that such a
    step stands on is told in its place, once; an account that is one of many is named.
    """
    kept: list[Step] = []
    told: set[int] = set()
    for step in path.steps:
        shown = _plain(step, told) if step.edge in _QUIET else step
        told.update(id(fact) for fact in step.facts)
        if shown is not None:
            kept.append(shown)
    return msgspec.structs.replace(path, steps=tuple(kept) or path.steps)


def _plain(step: Step, told: Collection[int]) -> Step | None:
    """A step that spells something out as it is told: None where nothing new is in it."""
    new = tuple(fact for fact in step.facts if id(fact) not in told)
    if new:
        says = new[0].says if len(new) == 1 else step.says
        return msgspec.structs.replace(step, says=says, facts=new)
    if step.gives[0] == "account" and step.edge == "part":
        return msgspec.structs.replace(step, says=f"so has account {'/'.join(step.gives[1:])}")
    return None


def _told(facts: Facts, one: PathClass, rules: Collection[int]) -> PathClass:
    """A class with the edits each of which ends every way of its footholds to the goal."""
    program, path = facts.program, one.path
    edits = {e.id: e for s in path.steps for f in s.facts for e in f.edits}
    goal = program.find(path.goal)
    starts = [n for who in one.footholds if (n := program.find(who)) is not None]
    found: list[Edit] = []
    for edit in edits.values():
        gone = frozenset(program.index.ends[edit.id])
        left = Proofs(program, starts, without=gone, rules=rules, goals=[goal or 0])
        if goal not in left.cost:
            found.append(edit)
    return msgspec.structs.replace(one, path=shown(path), choke=tuple(found))


def _severity(path: Path, options: Options) -> tuple[str, tuple[str, ...]]:
    """How bad a path is: by who begins and where it ends; a dashed step lowers it, evidence of use
    raises it.
    """
    level = _level(path.foothold[0] if path.foothold else "", path.goal)
    why: list[str] = []
    if not path.sure:
        level -= 1
        why.append("one level lower: not every step was assessed")
    used = options.seen.of_path(path) if options.seen is not None else None
    if used is not None:
        level += 1
        why.append(f"one level higher: seen in use, last {used[1]}: {used[0]}")
    return SEVERITIES[max(0, min(3, level))], tuple(why)


def _level(kind: str, goal: Proposition) -> int:
    """How bad a path of a kind of foothold to a goal is by itself."""
    if kind in (INTERNET[0], ANONYMOUS[0]):
        grave = goal in (CLUSTER_ADMIN, ANY_NODE) or goal[0] in ("admin", "node")
        return 3 if grave else 2
    return 2 if kind in ("pods-of", "code", "pod") else 1


def choke_points(
    facts: Facts, footholds: Iterable[Proposition], goal: Proposition
) -> tuple[Proposition, ...]:
    """What every way of any of the footholds to the goal passes by: facts and things gained."""
    program = facts.program
    starts = [n for one in footholds if (n := program.find(one)) is not None]
    end = program.find(goal)
    if end is None or not starts:
        return ()
    proofs = Proofs(program, starts, goals=[end])
    if end not in proofs.cost:
        return ()
    wanted = list(
        dict.fromkeys((*proofs.leaves(end), *(program.heads[r] for r in proofs.rules(end))))
    )
    found = must(program, starts, wanted).get(end, 0)
    return tuple(program.names[one] for bit, one in enumerate(wanted) if found >> bit & 1)


def cut(
    facts: Facts,
    *,
    footholds: Iterable[Proposition] | None = None,
    goals: Iterable[Proposition] | None = None,
    options: Options = _PLAIN,
    only: Collection[int] | None = None,
) -> Cut:
    """The cheapest edits after which none of the footholds leads to any of the goals."""
    program = facts.program
    begun = tuple(footholds) if footholds is not None else footholds_of(facts, options)
    asked = tuple(goals) if goals is not None else (*GOALS, *options.own)
    own = [one for one in asked if one in options.own]
    if any(not holders(facts, one).isdisjoint(begun) for one in own):
        begun, goals = apart(facts, begun, own)
        goals += (one for one in asked if one not in own)
        other = msgspec.structs.replace(options, own=())
        return together(cut(facts, footholds=begun, goals=goals, options=other, only=only))
    starts = [n for one in begun if (n := program.find(one)) is not None]
    ends = [n for one in asked if (n := program.find(one)) is not None]
    weights = dict(options.weights)
    for keep in options.keep:
        for fact in program.facts.values():
            for edit in fact.edits:
                if edit.id == keep or any(str(c.ref.local) == keep for c in edit.changes):
                    weights[edit.id] = FOREVER
    return cheapest_cut(program, starts, ends, weights=weights, only=only, budget=options.budget)
