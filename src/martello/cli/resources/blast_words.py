"""Harms put into words: what is taken, who is hurt first, by how much, and what bounds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from martello.cli.resources.opening import place
from martello.core.cluster import Cluster
from martello.practices.resources.blast import caps
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Guard, Harm, Victim
from martello.practices.resources.blast.objects import SERVER
from martello.practices.resources.node.model import Pod
from martello.report.resources.blast.model import Hurt, Line
from martello.report.text import plural

_LASTING: Final = ("killed", "evicted", "no fork", "unschedulable", "blocked", "throttled")
# What a person reads for the name of a setting.
_SETTINGS: Final = {
    "pod_pids": "podPidsLimit",
    "pids": "pid_max",
    "reserved_pids": "reserved PIDs",
    "eviction": "eviction thresholds",
    "reserved": "systemReserved and kubeReserved",
    "capacity": "capacity",
    "allocatable": "allocatable",
    "cpu_quota": "cpuCFSQuota",
    "disk": "size of nodefs",
    "inodes": "inodes of nodefs",
    "placement": "placement",
}


def row_about(one: Blast, own: Sequence[Pod]) -> str:
    """`Burstable, no memory limit, 3 replicas on 3 nodes`."""
    first = own[0]
    free = [
        name
        for name in ("memory", "cpu")
        if any(caps.limited(part, name) is None for part in first.parts)
    ]
    limits = f"no {' or '.join(free)} limit" if free else "limits of cpu and memory"
    here = len({pod.node for pod in own})
    return f"{first.qos}, {limits}, {plural(len(own), 'replica')} on {plural(here, 'node')}"


def worst_of(one: Blast) -> str:
    """`14 pods of 6 namespaces evicted`: of the harm that is worst."""
    best: tuple[int, int, str] | None = None
    for harm in one.harms:
        if any(victim.key == SERVER for victim in harm.victims):
            return "no write to the API passes any more"
        for effect in dict.fromkeys(victim.effect for victim in harm.victims):
            those = [victim for victim in harm.victims if victim.effect == effect]
            weight = len(_LASTING) - _LASTING.index(effect) if effect in _LASTING else 0
            text = f"{_count(those)} {_DONE.get(effect, effect)}"
            if best is None or (len(those), weight) > best[:2]:
                best = len(those), weight, text
    return best[2] if best is not None else ""


_DONE: Final = {
    "no fork": "cannot fork",
    "unschedulable": "must give way",
    "blocked": "cannot write",
}


def _count(victims: Sequence[Victim]) -> str:
    if not victims[0].owner:
        return plural(len(victims), "account")
    spaces = len({victim.owner.partition("/")[0] for victim in victims})
    if len(victims) == 1:
        return f"{victims[0].key}"
    return f"{plural(len(victims), 'pod')} of {plural(spaces, 'namespace')}"


def line_of(harm: Harm, world: World, own: Sequence[Pod], cluster: Cluster) -> Line:
    """One resource of an attacker."""
    hurt = tuple(hurt_of(victim) for victim in harm.victims)
    return Line(
        resource=harm.resource,
        take=take_of(harm),
        guard=_guard(harm),
        guard_where=_where(harm.guard, cluster),
        says=_says(harm, world, own),
        hurt=hurt,
        exact=harm.exact,
        assumed=tuple(_SETTINGS.get(word, word) for word in harm.assumed),
    )


def take_of(harm: Harm) -> str:
    """What can be held: empty where nothing bounds it."""
    if harm.take is None:
        return ""
    match harm.resource:
        case "cpu":
            return f"{harm.take}m"
        case "memory" | "disk" | "objects":
            return caps.size(harm.take)
    return f"{harm.take:,}"


def _guard(harm: Harm) -> str:
    if harm.guard is not None:
        return harm.guard.says
    return ""


def _where(guard: Guard | None, cluster: Cluster) -> str:
    if guard is None or guard.ref is None:
        return ""
    found = cluster.get(guard.ref.group_kind, guard.ref.namespace, guard.ref.name)
    return place(found) if found is not None else ""


def hurt_of(victim: Victim) -> Hurt:
    """One who is hurt, with by how much."""
    amount = ""
    if victim.amount is not None:
        match victim.effect:
            case "throttled":
                amount = f"{victim.amount}m short"
            case "killed":
                amount = f"{caps.size(victim.amount)} in use"
            case "evicted" if victim.amount > 0:
                amount = f"{caps.size(victim.amount)} over its request"
    return Hurt(victim.key, victim.owner, victim.effect, amount, victim.round)


def _says(harm: Harm, world: World, own: Sequence[Pod]) -> str:
    """What comes of it, in a sentence without a subject."""
    if harm.resource == "unenforced":
        return f"{harm.why}: not enforced by Kubernetes, no bound"
    parts = [_effect(harm, effect) for effect in dict.fromkeys(v.effect for v in harm.victims)]
    text = "; ".join(parts) if parts else _calm(harm, world, own)
    if harm.resource == "pids" and harm.victims:
        text = f"{take_of(harm)} PIDs: {text}"
    if harm.why and harm.resource == "cpu":
        text = f"{text}; {harm.why}"
    if harm.why and harm.resource in ("placement", "objects", "api"):
        text = f"{text} ({harm.why})"
    return text


def _effect(harm: Harm, effect: str) -> str:
    those = [victim for victim in harm.victims if victim.effect == effect]
    first = hurt_of(those[0])
    named = f"first {first.name}" + (f" ({first.amount})" if first.amount else "")
    pods = plural(len(those), "pod")
    match effect:
        case "evicted":
            return f"evicts {pods}; {named}"
        case "killed":
            return f"the kernel kills {pods}; {named}"
        case "no fork":
            return f"{pods} cannot fork"
        case "blocked" if those[0].key == SERVER:
            return "fills etcd: no write to the API passes"
        case "blocked":
            return f"the disk is full: {pods} cannot write"
        case "unschedulable":
            return f"{pods} must give way; {named}"
        case "slowed":
            verb = "waits" if len(those) == 1 else "wait"
            return f"{plural(len(those), 'account')} {verb} behind it; {named}"
    worst = max(those, key=lambda victim: victim.amount or 0)
    verb = "gets less than it needs" if len(those) == 1 else "get less than they need"
    return f"{pods} {verb}; most {worst.key} ({worst.amount or 0}m short)"


def _calm(harm: Harm, world: World, own: Sequence[Pod]) -> str:
    """Why nobody is hurt."""
    match harm.resource:
        case "cpu":
            measured = all(caps.cpu_use(pod, part)[1] for pod in own for part in pod.parts)
            kept = "its measured demand" if measured else "what it asks for"
            return f"every neighbour keeps {kept}"
        case "inodes" if harm.exact == "unassessed":
            return "how many the disk has is not known"
        case "placement":
            return "it can bring in no pod" if harm.take == 0 else "no pod must give way"
        case "objects":
            return f"at most {take_of(harm)}" if harm.take else "it can create none"
        case "api":
            return "no token, no flow" if not harm.take else "nobody waits behind it"
        case "disk" | "inodes" | "memory" if harm.take is None:
            return "it would be the first to go"
    return "fits beside all others"
