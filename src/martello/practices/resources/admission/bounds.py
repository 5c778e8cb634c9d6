"""What the quotas and LimitRanges of a namespace really bound, and what escapes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, Literal

import msgspec

from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.resources.admission.charges import CLAIMS, PODS, SERVICES
from martello.practices.resources.admission.limit_ranges import Item, ranges
from martello.practices.resources.admission.names import is_huge, is_native
from martello.practices.resources.admission.quotas import Quota, quotas
from martello.practices.resources.admission.scopes import Subject, inside
from martello.practices.resources.amounts import Malformed, plus, text

Kind = Literal["scope", "use", "zero", "silent", "finished", "open"]
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
# Kinds that a namespace's own users make, and whose number only `count/` bounds.
_COUNTED: Final = (
    "secrets",
    "configmaps",
    "services",
    "persistentvolumeclaims",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "jobs.batch",
    "cronjobs.batch",
)
_SHORT: Final = ("secrets", "configmaps", "services", "persistentvolumeclaims")
_EPHEMERAL: Final = "ephemeral-storage"
_CLASSES: Final = 100  # that scopes of one namespace may tell apart
_FINISHED: Final = "finished pods are not counted: Jobs may pile up without end; count/pods does"


class Hole(msgspec.Struct, frozen=True):
    """What escapes: by scope, by using more than is asked for, by a limit of 0, by saying nothing,
    by being finished; or there is no bound at all (open).

    `quota` and `path` are the one whose promise is not kept, None where there is none.
    """

    kind: Kind
    text: str
    quota: Resource | None = None
    path: Path = ()


class Bound(msgspec.Struct, frozen=True):
    """What bounds one thing in a namespace: a value (None: nothing does), what is taken of it, the
    objects and places that say so, and what escapes.
    """

    namespace: str
    resource: str
    value: int | None
    used: int | None
    guards: tuple[tuple[Resource, Path], ...] = ()
    holes: tuple[Hole, ...] = ()


class _Cover(msgspec.Struct):
    """What some keys of quotas bound together, and whom they leave out."""

    value: int | None
    used: int
    guards: list[tuple[Quota, str]]
    escaping: str = ""


def bounds(world: Cluster, namespace: str) -> tuple[Bound, ...]:
    """The bounds of a namespace. Raises Malformed for a LimitRange or quota that cannot be read."""
    held = quotas(world, namespace)
    items = [item for group in ranges(world, namespace) for item in group]
    told: list[Bound] = []
    for name in _COMPUTE:
        told.append(_requests(namespace, name, held, items))
        told.append(_limits(namespace, name, held, items))
    told.append(_pods(namespace, held, items))
    told.append(_storage(namespace, held, items))
    told.append(_ports(namespace, held))
    told.append(_objects(namespace, held))
    return tuple(told)


def dead(quota: Quota) -> Iterator[str]:
    """The keys of a quota that no object is ever charged to."""
    for key in quota.hard:
        known = key in PODS or key in SERVICES or key in CLAIMS or key.startswith("count/")
        short = key in (*_SHORT, "resourcequotas", "replicationcontrollers")
        bare = key.removeprefix("requests.")
        extended = is_huge(bare) or (bare != key and not is_native(bare))
        if not (known or short or extended or ".storageclass.storage.k8s.io/" in key):
            yield key


def _requests(namespace: str, name: str, held: Sequence[Quota], items: Sequence[Item]) -> Bound:
    keys = (name, f"requests.{name}")
    found = _cover(held, keys, best_effort=False)
    holes = _scoped(found, f"requests of {name}")
    given = any(i.type == "Container" and name in i.default_request for i in items)
    if not found.guards:
        holes = (Hole("open", f"requests of {name}"),)
    elif name == _EPHEMERAL and not given:
        told = "a container that asks for none is not counted: no LimitRange gives it a request"
        holes += _each("silent", told, held, keys)
    return _bound(namespace, f"{name} requested", found, holes)


def _limits(namespace: str, name: str, held: Sequence[Quota], items: Sequence[Item]) -> Bound:
    key = f"limits.{name}"
    found = _cover(held, (key,), best_effort=True)
    containers = [item for item in items if item.type == "Container"]
    given = [item for item in containers if name in item.default]
    if not found.guards:
        most = [i for i in items if i.type in ("Container", "Pod") and name in i.most]
        told = [f"up to {text(i.most[name])} for each {i.type}" for i in most[:1]]
        places = [(item.owner, (*item.path, "max", name)) for item in most]
        if not most and name == _EPHEMERAL and given:
            told = [f"{text(given[0].default[name])} for a container that says nothing else"]
            places = [(given[0].owner, (*given[0].path, "default", name))]
        if told:
            holes: tuple[Hole, ...] = (Hole("open", f"no bound on all together: {told[0]}"),)
        else:
            words = f"pods may use more {name} than they ask for"
            holes = _each("use", words, held, (name, f"requests.{name}"))
            holes = holes or (Hole("open", f"use of {name}"),)
        return Bound(namespace, f"{name} used", None, None, tuple(places), holes)
    holes = _scoped(found, f"limits of {name}")
    floor = any(item.least.get(name) or item.ratio.get(name) for item in containers)
    if name == _EPHEMERAL and not (given or floor):
        told_once = "a container without a limit is not counted: no LimitRange gives it one"
        holes += _each("silent", told_once, held, (key,))
    elif not floor:
        zero = "a limit of 0 satisfies the quota, and is no limit: a LimitRange's min forbids it"
        holes += _each("zero", zero, held, (key,))
    return _bound(namespace, f"{name} used", found, holes)


def _each(kind: Kind, told: str, held: Sequence[Quota], keys: Sequence[str]) -> tuple[Hole, ...]:
    """The same hole in every quota that has one of the keys."""
    return tuple(
        Hole(kind, told, quota.resource, ("spec", "hard", key))
        for quota in held
        for key in keys
        if key in quota.hard
    )


def _pods(namespace: str, held: Sequence[Quota], items: Sequence[Item]) -> Bound:
    running = _cover(held, ("pods",), best_effort=True)
    stored = _cover(held, ("count/pods",), best_effort=True)
    if stored.value is not None and (running.value is None or stored.value <= running.value):
        return _bound(namespace, "pods", stored, _scoped(stored, "pods"))
    if running.guards:
        holes = _scoped(running, "pods")
        if stored.value is None:
            holes += _each("finished", _FINISHED, held, ("pods",))
        return _bound(namespace, "pods", running, holes)
    for name in ("cpu", "memory"):
        least = [
            i.least[name] for i in items if i.type in ("Container", "Pod") and i.least.get(name)
        ]
        asked = _cover(held, (name, f"requests.{name}"), best_effort=False)
        if least and asked.value is not None:
            value = asked.value // max(least) * 1000
            guards = [(q.resource, ("spec", "hard", key)) for q, key in asked.guards]
            hole = Hole("finished", _FINISHED)
            return Bound(namespace, "pods", value, None, tuple(guards), (hole,))
    return _bound(namespace, "pods", running, (Hole("open", "pods"),))


def _storage(namespace: str, held: Sequence[Quota], items: Sequence[Item]) -> Bound:
    found = _cover(held, ("requests.storage",), best_effort=True)
    if found.guards:
        return _bound(namespace, "storage", found, _scoped(found, "storage"))
    claims = _cover(
        held, ("persistentvolumeclaims", "count/persistentvolumeclaims"), best_effort=True
    )
    largest = [i for i in items if i.type == "PersistentVolumeClaim" and "storage" in i.most]
    if claims.value is not None and largest:
        most = min(largest, key=lambda item: item.most["storage"])
        places = tuple((q.resource, ("spec", "hard", key)) for q, key in claims.guards)
        owner = (most.owner, (*most.path, "max", "storage"))
        value = claims.value // 1000 * most.most["storage"]
        return Bound(namespace, "storage", value, None, (*places, owner))
    if claims.value == 0:
        return _bound(namespace, "storage", claims, ())
    return _bound(namespace, "storage", found, (Hole("open", "storage of claims"),))


def _ports(namespace: str, held: Sequence[Quota]) -> Bound:
    found = _cover(held, ("services.loadbalancers", "services", "count/services"), best_effort=True)
    holes = () if found.guards else (Hole("open", "load balancers and node ports"),)
    ports = _cover(held, ("services.nodeports",), best_effort=True)
    if found.guards and not ports.guards:
        holes = (Hole("open", "node ports: a Service may have many"),)
    return _bound(namespace, "load balancers", found, holes)


def _objects(namespace: str, held: Sequence[Quota]) -> Bound:
    """All other objects: those kinds that are counted, and those that are not."""
    guards: list[tuple[Resource, Path]] = []
    open_kinds: list[str] = []
    for kind in _COUNTED:
        keys = (f"count/{kind}", kind) if kind in _SHORT else (f"count/{kind}",)
        found = _cover(held, keys, best_effort=True)
        guards += [(quota.resource, ("spec", "hard", key)) for quota, key in found.guards]
        if not found.guards:
            open_kinds.append(kind)
    holes: tuple[Hole, ...] = ()
    if open_kinds:
        some = ", ".join(open_kinds) if guards else "objects of any kind"
        holes = (Hole("open", f"the number of {some}"),)
    return Bound(namespace, "other objects", None, None, tuple(dict.fromkeys(guards)), holes)


def _bound(namespace: str, name: str, found: _Cover, holes: tuple[Hole, ...]) -> Bound:
    guards = tuple((quota.resource, ("spec", "hard", key)) for quota, key in found.guards)
    used = found.used if found.guards else None
    return Bound(namespace, name, found.value, used, guards, holes)


def _scoped(found: _Cover, what: str) -> tuple[Hole, ...]:
    if not found.guards or not found.escaping:
        return ()
    quota, key = found.guards[0]
    told = f"{found.escaping} escape: no quota of {what} is about them"
    return (Hole("scope", told, quota.resource, ("spec", "hard", key)),)


def _cover(held: Sequence[Quota], keys: Sequence[str], *, best_effort: bool) -> _Cover:
    """What keys of quotas that mean the same bound together. Pods are split into sorts by what
    scopes look at; each sort is bounded by the tightest quota that is about it, and all by the sum
    of those. `best_effort` says whether pods that ask for nothing count, too.
    """
    guards = [(quota, key) for quota in held for key in keys if key in quota.hard]
    if not guards:
        return _Cover(None, 0, [])
    chosen: dict[int, tuple[Quota, str]] = {}
    for sort, words in _sorts(held, best_effort=best_effort):
        about = [g for g in guards if not g[0].scopes or inside(g[0].scopes, sort)]
        if not about:
            return _Cover(None, 0, guards, words)
        index = min(range(len(about)), key=lambda i: about[i][0].hard[about[i][1]])
        quota, key = about[index]
        chosen[id(quota.resource)] = (quota, key)
    total, used = 0, 0
    for quota, key in chosen.values():
        total = plus(total, quota.hard[key])
        used = plus(used, quota.used.get(key, 0))
    return _Cover(total, used, list(chosen.values()))


def _sorts(held: Sequence[Quota], *, best_effort: bool) -> Iterator[tuple[Subject, str]]:
    """Every sort of pods that some scope tells apart, and what they are called."""
    scopes = [scope for quota in held for scope in quota.scopes]
    named = {scope.name for scope in scopes}
    classes = sorted({value for scope in scopes for value in scope.values})
    by_class: list[tuple[str, str]] = [("", "")]
    if len(classes) > _CLASSES:
        raise Malformed(("spec",), f"scopes name more than {_CLASSES} classes")
    if "PriorityClass" in named:
        by_class = [(name, f"of PriorityClass {name}") for name in classes]
        by_class += [("another class", "of another PriorityClass"), ("", "without a PriorityClass")]
    ending = [(True, "with a deadline"), (False, "without a deadline")]
    idle = [(False, "that ask for something")]
    if best_effort:
        idle.append((True, "that ask for nothing"))
    crossing = [(True, "with affinity across namespaces"), (False, "without it")]
    for (name, one), (ends, two), (nothing, three), (crosses, four) in product(
        by_class,
        ending if named & {"Terminating", "NotTerminating"} else [(False, "")],
        idle if named & {"BestEffort", "NotBestEffort"} else [(False, "")],
        crossing if "CrossNamespacePodAffinity" in named else [(False, "")],
    ):
        words = " ".join(word for word in (one, two, three, four) if word)
        subject = Subject(True, ends, nothing, name, crosses)
        yield subject, f"pods {words}".rstrip()
