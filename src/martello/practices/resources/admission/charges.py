"""What an object takes of quotas: pods, services, claims, and the mere number of all others.

Source: the quota evaluators of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.kinds import plural
from martello.core.resource import Resource
from martello.practices.resources.admission import names, versions
from martello.practices.resources.admission.scopes import Subject
from martello.practices.resources.amounts import Amounts, Malformed, Need, like, read

_ONE: Final = 1000
_OF_CLASS: Final = ".storageclass.storage.k8s.io/"
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
PODS: Final = frozenset(
    (
        "pods",
        "count/pods",
        *_COMPUTE,
        *(f"requests.{name}" for name in _COMPUTE),
        *(f"limits.{name}" for name in _COMPUTE),
    )
)
SERVICES: Final = frozenset(
    ("services", "count/services", "services.nodeports", "services.loadbalancers")
)
CLAIMS: Final = frozenset(
    ("persistentvolumeclaims", "count/persistentvolumeclaims", "requests.storage")
)
# Kinds with a short key of their own beside `count/`.
_ALIASES: Final = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")
# A quota of these forces every container to say the amount, be it 0.
FORCING: Final[Mapping[str, tuple[str, str]]] = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}


class Charge(msgspec.Struct, frozen=True):
    """What one object takes: `kind` is its resource, as `pods` or `deployments.apps`."""

    kind: str
    usage: Amounts
    subject: Subject = Subject()
    needs: tuple[Need, ...] = ()  # of a pod: who must say what
    levelled: bool = False  # the pod itself says what it asks for


def kind_of(resource: Resource) -> str:
    """The resource of an object, as quotas count it: `pods`, `deployments.apps`."""
    return _kind(resource.ref.kind, resource.ref.group)


@lru_cache(maxsize=1024)
def _kind(kind: str, group: str) -> str:
    word = plural(kind)
    return f"{word}.{group}" if group else word


def keys_of(kind: str, hard: Iterable[str]) -> frozenset[str]:
    """The keys of a quota that objects of a kind are charged to."""
    match kind:
        case "pods":
            return frozenset(key for key in hard if key in PODS or _of_pods(key))
        case "services":
            return SERVICES.intersection(hard)
        case "persistentvolumeclaims":
            of_class = tuple(f"{_OF_CLASS}{key}" for key in CLAIMS if "/" not in key)
            return frozenset(k for k in hard if k in CLAIMS or k.endswith(of_class))
    known = {f"count/{kind}", *(name for name in _ALIASES if name == kind)}
    return frozenset(known.intersection(hard))


def _of_pods(key: str) -> bool:
    if key.startswith(("hugepages-", "requests.hugepages-")):
        return True
    return key.startswith("requests.") and not names.is_native(key)


def pod_usage(requests: Amounts, limits: Amounts, *, over: bool = False) -> Amounts:
    """What a pod takes. One that is over (finished, or deleted and past its time) is only counted
    as a stored object.
    """
    if over:
        return {"count/pods": _ONE}
    found: Amounts = {"pods": _ONE, "count/pods": _ONE}
    for name, milli in requests.items():
        if name in _COMPUTE or names.is_huge(name):
            found[name] = found[f"requests.{name}"] = milli
        elif names.is_extended(name):
            found[f"requests.{name}"] = milli
    for name in _COMPUTE:
        if name in limits:
            found[f"limits.{name}"] = limits[name]
    return found


def service_usage(spec: dict[str, Any], kubernetes: int) -> Amounts:
    """What a Service takes: node ports by their number, those of load balancers too."""
    listed = spec.get("ports")
    ports = listed if isinstance(listed, list) else []
    found: Amounts = {"count/services": _ONE, "services": _ONE}
    found["services.loadbalancers"] = found["services.nodeports"] = 0
    match spec.get("type"):
        case "NodePort":
            found["services.nodeports"] = len(ports) * _ONE
        case "LoadBalancer":
            found["services.loadbalancers"] = _ONE
            counted = len(ports)
            if (
                kubernetes >= versions.BALANCER_PORTS
                and spec.get("allocateLoadBalancerNodePorts") is False
            ):
                counted = sum(1 for p in ports if isinstance(p, dict) and p.get("nodePort"))
            found["services.nodeports"] = counted * _ONE
    return found


def claim_requests(spec: Mapping[str, Any]) -> Amounts:
    """What a PersistentVolumeClaim asks for. Raises Malformed."""
    resources = spec.get("resources")
    if resources is None:
        return {}
    if not isinstance(resources, dict):
        raise Malformed(("spec", "resources"), "resources is no mapping")
    return read(resources.get("requests"), ("spec", "resources", "requests"))


def claim_usage(requests: Amounts, storage_class: str) -> Amounts:
    """What a claim takes, also of the quotas of its storage class; bytes are rounded up."""
    found: Amounts = {"persistentvolumeclaims": _ONE, "count/persistentvolumeclaims": _ONE}
    if storage_class:
        found[f"{storage_class}{_OF_CLASS}persistentvolumeclaims"] = _ONE
    storage = requests.get("storage")
    if storage is not None:
        whole = -(-storage // 1000) * 1000
        found["requests.storage"] = storage if whole == storage else like(storage, whole)
        if storage_class:
            found[f"{storage_class}{_OF_CLASS}requests.storage"] = found["requests.storage"]
    return found


def count_usage(kind: str) -> Amounts:
    """What any other object takes: one of its kind."""
    found: Amounts = {f"count/{kind}": _ONE}
    if kind in _ALIASES:
        found[kind] = _ONE
    return found


def unsaid(keys: Iterable[str], needs: Sequence[Need]) -> dict[str, list[Need]]:
    """The containers that do not give an amount that a quota demands of each, by its key."""
    found: dict[str, list[Need]] = {}
    for key in keys:
        part, name = FORCING.get(key, ("", ""))
        if not part:
            continue
        for need in needs:
            if name not in (need.requests if part == "requests" else need.limits):
                found.setdefault(key, []).append(need)
    return found
