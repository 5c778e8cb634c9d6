"""What the objects of a namespace take already, as files tell it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Ref, Resource
from martello.core.workload import Workload
from martello.practices.resources.admission.charges import (
    Charge,
    claim_requests,
    claim_usage,
    count_usage,
    kind_of,
    service_usage,
)
from martello.practices.resources.admission.limit_ranges import ranges
from martello.practices.resources.admission.mutation import Treated
from martello.practices.resources.admission.pods import decode, pod_from
from martello.practices.resources.admission.scopes import Subject
from martello.practices.resources.amounts import Malformed
from martello.practices.resources.replicas import wanted

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


class Held(msgspec.Struct, frozen=True):
    """So many objects of one sort, and what each of them takes."""

    resource: Resource
    charge: Charge
    count: int = 1


@lru_cache(maxsize=2)
def _by_namespace(world: Cluster) -> dict[str, list[Resource]]:
    found: dict[str, list[Resource]] = {}
    for resource in world.resources:
        found.setdefault(resource.ref.namespace, []).append(resource)
    return found


def held(world: Cluster, namespace: str) -> tuple[Held, ...]:
    """What every object of a namespace takes; workloads with the pods that they are meant to have.
    What no server would take counts nothing.
    """
    known = _held(world)
    if namespace not in known:
        known[namespace] = _read(world, namespace)
    return known[namespace]


@lru_cache(maxsize=2)
def _held(world: Cluster) -> dict[str, tuple[Held, ...]]:
    """What was counted of a world: it never changes."""
    return {}


def _read(world: Cluster, namespace: str) -> tuple[Held, ...]:
    found: list[Held] = []
    for resource in _by_namespace(world).get(namespace, ()):
        try:
            found += _of(resource, world)
        except Malformed:
            continue
    return tuple(found)


def _of(resource: Resource, world: Cluster) -> Iterator[Held]:
    if resource.ref.group_kind != "Pod":
        yield Held(resource, charge_of(resource, world))
    workload = world.workload(resource)
    if workload is not None and world.owner(resource) is None:
        yield from pods_of(workload, world)


def pods_of(workload: Workload, world: Cluster) -> Iterator[Held]:
    """The pods of a workload, with its ReplicaSet and their claims. Raises Malformed."""
    resource = workload.resource
    if resource.ref.group_kind == "Deployment.apps":
        yield Held(resource, Charge("replicasets.apps", count_usage("replicasets.apps")))
    order = ranges(world, resource.ref.namespace)
    one = Treated(world, decode(pod_from(workload)), order)
    count = wanted(workload, world)
    for claim in claims_of(workload, world):
        yield Held(claim, charge_of(claim, world), count)
    yield Held(resource, one.charge, count)


def there(world: Cluster, resource: Resource) -> list[Held]:
    """What the pods of a workload take that is there already: of a live world those that run, of
    files as many as it is meant to have. What no server would take counts nothing.
    """
    workload = world.workload(resource)
    if workload is None:
        return []
    try:
        if not world.name:
            return list(pods_of(workload, world))
        return [
            Held(pod, Treated(world, decode(pod.raw), ()).charge)
            for pod in _by_root(world).get(id(resource), ())
        ]
    except Malformed:
        return []


@lru_cache(maxsize=2)
def _by_root(world: Cluster) -> dict[int, list[Resource]]:
    """The pods of each workload."""
    found: dict[int, list[Resource]] = {}
    for pod in world.of_kind("Pod"):
        found.setdefault(id(world.root(pod)), []).append(pod)
    return found


def claims_of(workload: Workload, world: Cluster) -> Iterator[Resource]:
    """The claims that a StatefulSet makes for each of its pods, as of the first; none where that
    is there already: claims outlive their pods.
    """
    resource = workload.resource
    templates = resource.spec.get("volumeClaimTemplates")
    if resource.ref.group_kind != "StatefulSet.apps" or not isinstance(templates, list):
        return
    for index, raw in enumerate(templates):
        given = raw.get("metadata") if isinstance(raw, dict) else None
        if not isinstance(raw, dict) or not isinstance(given, dict):
            raise Malformed(("spec", "volumeClaimTemplates", index), "it is no claim")
        name = f"{given.get('name', '')}-{resource.ref.name}-0"
        if world.get("PersistentVolumeClaim", resource.ref.namespace, name) is None:
            ref = Ref(
                resource.ref.cluster, "v1", "PersistentVolumeClaim", resource.ref.namespace, name
            )
            yield Resource(raw, ref, resource.origin)


def charge_of(resource: Resource, world: Cluster) -> Charge:
    """What an object other than a pod takes. Raises Malformed."""
    match resource.ref.group_kind:
        case "Service":
            return Charge("services", service_usage(resource.spec, world.kubernetes))
        case "PersistentVolumeClaim":
            requests = claim_requests(resource.spec)
            usage = claim_usage(requests, storage_class(resource, world))
            classes = frozenset(_volume_classes(resource))
            return Charge("persistentvolumeclaims", usage, Subject(volume_classes=classes))
    kind = kind_of(resource)
    return Charge(kind, count_usage(kind))


def storage_class(claim: Resource, world: Cluster) -> str:
    """The storage class of a claim: its own, or the default one."""
    name = claim.annotations.get(_BETA_CLASS, claim.spec.get("storageClassName"))
    if isinstance(name, str):
        return name
    return _default_class(world)


@lru_cache(maxsize=2)
def _default_class(world: Cluster) -> str:
    return next(
        (
            found.ref.name
            for found in world.of_kind("StorageClass.storage.k8s.io")
            if found.annotations.get(_DEFAULT_CLASS) == "true"
        ),
        "",
    )


def _volume_classes(claim: Resource) -> Iterator[str]:
    written = claim.raw.get("status")
    status = written if isinstance(written, dict) else {}
    modified = status.get("modifyVolumeStatus")
    for name in (
        claim.spec.get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        modified.get("targetVolumeAttributesClassName") if isinstance(modified, dict) else None,
    ):
        if isinstance(name, str) and name:
            yield name
