"""The quotas of a namespace: what its pods and objects take at most, with a margin, as amounts that
people would write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.resources.admission.quotas import Quota
from martello.practices.resources.amounts import Amounts
from martello.practices.resources.blast.classes import only
from martello.practices.resources.guards import rounding
from martello.practices.resources.guards.model import OWN

REQUESTS: Final = ("requests.cpu", "requests.memory", "limits.memory")
DISK: Final = ("requests.ephemeral-storage", "limits.ephemeral-storage")
# Kinds that a namespace's own users make: how many more than today there may always be. Events are
# no such kind: the server counts them in no quota (ignoredResources of pkg/quota/v1/install).
_MORE: Final = {
    "count/configmaps": 10,
    "count/secrets": 20,  # Helm keeps ten for each release
    "count/services": 5,
    "count/persistentvolumeclaims": 2,
    "count/deployments.apps": 5,
    "count/replicasets.apps": 20,
    "count/statefulsets.apps": 5,
    "count/jobs.batch": 10,
    "count/cronjobs.batch": 5,
    "count/daemonsets.apps": 5,
    "count/replicationcontrollers": 5,
    "count/serviceaccounts": 10,
    "count/horizontalpodautoscalers.autoscaling": 5,
    "count/ingresses.networking.k8s.io": 10,
    "count/networkpolicies.networking.k8s.io": 20,
    "count/poddisruptionbudgets.policy": 5,
    "count/roles.rbac.authorization.k8s.io": 10,
    "count/rolebindings.rbac.authorization.k8s.io": 10,
    "count/leases.coordination.k8s.io": 20,
    "count/pods": 10,
}
_OPEN: Final = ("services.loadbalancers", "services.nodeports")  # nobody has any: nobody gets any
_STORAGE: Final = "requests.storage"
KEYS: Final = (*REQUESTS, *DISK, "pods", *_MORE, *_OPEN, _STORAGE)
_ALIASES: Final = {
    "requests.cpu": "cpu",
    "requests.memory": "memory",
    "requests.ephemeral-storage": "ephemeral-storage",
}
PROBE: Final = f"{OWN}probe"
_GIB: Final = 2**30


def made(kind: str, name: str, namespace: str, spec: Mapping[str, Any], cluster: str) -> Resource:
    """An object of ours."""
    raw = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": dict(spec),
    }
    return resource_of(raw, Nowhere(), cluster)


def probe(namespace: str, keys: Iterable[str], cluster: str, of: str = "") -> Resource:
    """A quota that bounds nothing and counts these keys: no others, for some demand that every
    container says the amount. With `of` it counts the pods of a priority class.
    """
    spec: dict[str, Any] = {"hard": dict.fromkeys(keys, "1E")}
    if of:
        spec |= only((of,))
    return made("ResourceQuota", f"{PROBE}-{of}" if of else PROBE, namespace, spec, cluster)


def hard(
    taken: Amounts, history: Amounts, margin: float, held: Iterable[Quota], keys: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The amounts of the quota of compute resources and of that of objects. What a quota that is
    there bounds already, for all pods, is left to it.
    """
    bounded = {key for quota in held if not quota.scopes for key in quota.hard}
    compute: dict[str, str] = {}
    objects: dict[str, str] = {}
    for key in keys:
        if key in bounded or _ALIASES.get(key) in bounded:
            continue
        amount = _amount(key, taken.get(key, 0), history.get(key, 0), margin)
        into = compute if key in (*REQUESTS, *DISK, "pods") else objects
        into[key] = rounding.written(key, amount)
    return compute, objects


def _amount(key: str, milli: int, old: int, margin: float) -> int:
    """In thousandths."""
    if key in _OPEN:
        return milli
    more = milli + -(-milli * round(100 * margin) // 100)
    if key == "requests.cpu":
        return rounding.cpu(more)
    if key == _STORAGE:
        return rounding.size(max(-(-(more + old) // 1000), 10 * _GIB)) * 1000
    if key in (*REQUESTS, *DISK):
        return rounding.size(-(-more // 1000)) * 1000
    number = -(-(milli + old) // 1000) + _MORE.get(key, 3)
    return rounding.count(max(-(-(more + old) // 1000), number)) * 1000
