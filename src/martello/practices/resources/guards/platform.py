"""Workloads on which others rely and that have no priority: who ends their pods, and what class
would keep them. It keeps them from pods of lower classes that need their place, and in the order in
which kubelets evict; the kernel, short of memory, knows no priority.

A class of its own, and named in each template: `globalDefault` would change every pod that is made
anew, and one above 0 lets new pods displace old ones. `preemptionPolicy: Never`: the class
displaces nobody. (kubernetes.io: Pod Priority and Preemption.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.path import Path, look_up
from martello.core.resource import Nowhere, Resource, resource_of
from martello.core.selector import equal
from martello.practices.resources.blast.classes import KIND
from martello.practices.resources.blast.model import Blast
from martello.practices.resources.guards.model import PLATFORM
from martello.practices.resources.guards.patching import FIXED
from martello.practices.resources.node.model import CRITICAL, Pod
from martello.practices.resources.node.pods import owner_of

Ends = Mapping[str, frozenset[tuple[str, str]]]  # by victim: attackers and by what they end it

_HIGHEST: Final = 1_000_000_000  # of a class that is not the system's
_STEP: Final = 1_000_000
_HOOKS: Final = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_ENDED: Final = ("evicted", "killed", "unschedulable")


def relied_on(world: Cluster, crown: Iterable[str] = ()) -> dict[str, str]:
    """The workloads (`shop/deploy/web`) whose loss stops others, and why: what the API server calls
    and does not go on without, what is on every node whatever its taints, what is named as a crown.
    Those that cannot be changed by a patch are left out.
    """
    found: dict[str, str] = {}
    called: dict[tuple[str, str], str] = {}
    for place, why in _called(world):
        called.setdefault(place, why)
    for (space, name), why in called.items():
        service = world.get("Service", space, name)
        selector = service.spec.get("selector") if service is not None else None
        if not isinstance(selector, dict) or not selector:
            continue
        for workload in world.workloads(space):
            if equal(selector, workload.labels):
                _note(world, workload.resource, why, found)
    for resource in world.of_kind("DaemonSet.apps"):
        made = world.workload(resource)
        if made is not None and any(map(_everywhere, _listed(made.pod, "tolerations"))):
            _note(world, resource, "is on every node, whatever its taints", found)
    for owner in crown:
        found.setdefault(owner, "is named in [crown]")
    return found


def _note(world: Cluster, resource: Resource, why: str, found: dict[str, str]) -> None:
    if resource.ref.kind not in FIXED:
        found.setdefault(f"{resource.ref.namespace}/{owner_of(world, resource)}", why)


def _called(world: Cluster) -> Iterator[tuple[tuple[str, str], str]]:
    """The Services that the API server needs, and for what."""
    for kind in _HOOKS:
        for resource in world.of_kind(f"{kind}.admissionregistration.k8s.io"):
            for hook in _listed(resource.raw, "webhooks"):
                if hook.get("rules") and hook.get("failurePolicy", "Fail") == "Fail":
                    why = f"answers the admission webhook {hook.get('name')}"
                    yield from _service(hook, ("clientConfig", "service"), why)
    for resource in world.of_kind("APIService.apiregistration.k8s.io"):
        yield from _service(resource.spec, ("service",), f"serves the API {resource.ref.name}")
    for resource in world.of_kind("CustomResourceDefinition.apiextensions.k8s.io"):
        path = ("conversion", "webhook", "clientConfig", "service")
        yield from _service(resource.spec, path, f"converts {resource.ref.name}")


def _service(raw: Any, path: Path, why: str) -> Iterator[tuple[tuple[str, str], str]]:
    service = look_up(raw, path)
    if isinstance(service, dict):
        space, name = service.get("namespace"), service.get("name")
        if isinstance(space, str) and isinstance(name, str):
            yield (space, name), why


def _listed(raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = raw.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _everywhere(toleration: Mapping[str, Any]) -> bool:
    return toleration.get("operator") == "Exists" and not (
        toleration.get("key") or toleration.get("effect")
    )


def ends(
    blasts: Iterable[Blast], watched: Collection[str]
) -> dict[str, frozenset[tuple[str, str]]]:
    """Who ends pods of the workloads that are watched, from another namespace, and by which
    resource.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for one in blasts if watched else ():
        space = one.attacker.partition("/")[0]
        for harm in one.harms:
            for victim in harm.victims:
                if victim.owner not in watched or victim.effect not in _ENDED:
                    continue
                if victim.owner.partition("/")[0] != space:
                    found.setdefault(victim.owner, set()).add((one.attacker, harm.resource))
    return {owner: frozenset(by) for owner, by in found.items()}


def raisable(pods: Iterable[Pod], ended: Ends, spaces: Collection[str]) -> tuple[str, ...]:
    """The workloads of these namespaces that others end and that have no priority yet."""
    first: dict[str, Pod] = {}
    for pod in pods:
        first.setdefault(pod.owner, pod)
    return tuple(
        owner
        for owner in sorted(ended)
        if owner in first
        and owner.partition("/")[0] in spaces
        and first[owner].priority <= 0
        and not first[owner].raw.get("spec", {}).get("priorityClassName")
    )


def platform_class(world: Cluster, pods: Iterable[Pod], raised: Collection[str]) -> Resource | None:
    """The class: as it is where an earlier run made it, for a value never changes; else above all
    that others have. None where no class can be above them.
    """
    held = world.get(KIND, "", PLATFORM)
    if held is not None:
        return held
    others = [p.priority for p in pods if p.owner not in raised and p.priority < CRITICAL]
    value = _STEP * (max(0, *others, 0) // _STEP + 1)
    if value > _HIGHEST:
        return None
    raw = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": PLATFORM},
        "value": value,
        "globalDefault": False,
        "preemptionPolicy": "Never",
        "description": "For what others rely on: gives way last, and displaces nobody.",
    }
    return resource_of(raw, Nowhere(), world.name)
