"""Objects: how much of etcd somebody can fill who may create them.

The API server takes requests of up to 1.5 MiB for etcd; etcd stops every write once it holds its
quota, 2 GiB where nobody says otherwise (etcd server/storage/quota.go; 8 GiB is the most that it
recommends). From then on nothing in the cluster is scheduled, scaled or healed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from martello.core.cluster import Cluster
from martello.core.path import look_up
from martello.practices.resources.amounts import Amounts, Malformed, amounts
from martello.practices.resources.blast.caps import size
from martello.practices.resources.blast.model import Guard, Harm, Victim

OBJECT: Final = 3 * 2**20 // 2
ETCD: Final = 2 * 2**30
SERVER: Final = "kube-apiserver"  # the victim: all who write to it

# Older quotas count these by their plain name, too.
_PLAIN: Final = frozenset(
    (
        *("configmaps", "secrets", "services", "pods", "persistentvolumeclaims"),
        *("replicationcontrollers", "resourcequotas"),
    )
)
# What an administrator of a namespace (the role `admin`) may create there.
NAMESPACED: Final[tuple[tuple[str, str], ...]] = (
    *(("", r) for r in ("configmaps", "secrets", "services", "persistentvolumeclaims")),
    *(("", r) for r in ("pods", "replicationcontrollers", "serviceaccounts", "events")),
    *(("apps", r) for r in ("deployments", "daemonsets", "replicasets", "statefulsets")),
    *(("batch", r) for r in ("cronjobs", "jobs")),
    ("autoscaling", "horizontalpodautoscalers"),
    *(("networking.k8s.io", r) for r in ("ingresses", "networkpolicies")),
    ("policy", "poddisruptionbudgets"),
    *(("rbac.authorization.k8s.io", r) for r in ("roles", "rolebindings")),
    ("coordination.k8s.io", "leases"),
)
# What the server counts in no quota, whatever that says (ignoredResources of
# pkg/quota/v1/install; tried on 1.20.2). Events are forgotten after an hour.
UNCOUNTED: Final = frozenset((("", "events"), ("events.k8s.io", "events")))
_SETTINGS: Final = ("EventRateLimit", "event-ttl", "etcd-servers-overrides")
# Requests that are answered and not kept.
UNKEPT: Final = frozenset(("authorization.k8s.io", "authentication.k8s.io"))


def kept(creates: Iterable[tuple[str, str, str]]) -> frozenset[tuple[str, str, str]]:
    """Those rights to create that leave an object behind."""
    return frozenset(
        (space, group, name)
        for space, group, name in creates
        if group not in UNKEPT and "/" not in name
    )


def by_objects(world: Cluster, creates: Iterable[tuple[str, str, str]], *, whole: bool) -> Harm:
    """What may be stored by these rights to create: `whole`, if what is there may be replaced."""
    total, guard = 0, None
    free: dict[str, None] = {}
    spaces: dict[str, None] = {}
    asked = sorted(set(creates))
    for namespace, group, resource in asked:
        if (group, resource) in UNCOUNTED:
            continue
        left, found = _left(world, namespace, group, resource, whole)
        if left is None:
            free[f"{resource}.{group}" if group else resource] = None
            spaces[namespace or "the whole cluster"] = None
        else:
            total, guard = total + left * OBJECT, guard or found
    if free:
        why = f"no quota counts {_some(free)} in {_some(spaces)}; {ETCD // OBJECT:,} are enough"
        return Harm("objects", None, None, (_blocked(),), "bound", ("etcd's quota",), why)
    if total >= ETCD:
        why = f"the quotas leave {size(total)}, etcd holds {size(ETCD)}"
        return Harm("objects", total, None, (_blocked(),), "bound", ("etcd's quota",), why)
    if any((group, resource) in UNCOUNTED for _, group, resource in asked):
        why = "no quota counts events, whose number the API server's settings may bound"
        return Harm("objects", None, None, (), "unassessed", _SETTINGS, why)
    return Harm("objects", total, guard or Guard("no right to create objects"))


def _some(words: Iterable[str]) -> str:
    listed = list(words)
    more = f" and {len(listed) - 2:,} more" if len(listed) > 2 else ""
    return f"{', '.join(listed[:2])}{more}"


def _blocked() -> Victim:
    return Victim(SERVER, "", "blocked")


def _left(
    world: Cluster, namespace: str, group: str, resource: str, whole: bool
) -> tuple[int | None, Guard | None]:
    """How many more may be created, and by which quota; None: nothing counts them."""
    best: tuple[int | None, Guard | None] = (None, None)
    name = f"{resource}.{group}" if group else resource
    keys = [f"count/{name}", *([resource] if not group and resource in _PLAIN else [])]
    for quota in world.of_kind("ResourceQuota", namespace) if namespace else ():
        if quota.spec.get("scopes") or quota.spec.get("scopeSelector"):
            continue
        hard, used = _read(quota.spec.get("hard"), look_up(quota.raw, ("status", "used")))
        for key in keys:
            if key in hard:
                left = max(0, hard[key] - (0 if whole else used.get(key, 0))) // 1000
                if best[0] is None or left < best[0]:
                    best = left, Guard(f"quota {quota.ref.name}", quota.ref)
    return best


def _read(hard: object, used: object) -> tuple[Amounts, Amounts]:
    try:
        return amounts(hard), amounts(used)
    except Malformed:  # the server stores no such quota
        return {}, {}
