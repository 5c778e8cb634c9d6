"""ResourceQuota as the admission plug-in counts it: which pods it is about, what each one costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.resources.amounts import Amounts, Malformed, Need, amounts, total

# A quota of these forces every container to say the amount, be it 0.
FORCING: Final = {
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}
_PODS: Final = ("pods", "count/pods")
_SHORT: Final = ("cpu", "memory", "ephemeral-storage")  # what stands for requests.* too


class Quota(msgspec.Struct, frozen=True):
    """One ResourceQuota: its bounds, in thousandths."""

    resource: Resource
    hard: Amounts


@lru_cache(maxsize=256)
def quotas(cluster: Cluster, namespace: str) -> tuple[Quota, ...]:
    """The quotas of a namespace. Raises Malformed."""
    return tuple(
        Quota(resource, amounts(resource.spec.get("hard"), ("spec", "hard")))
        for resource in cluster.of_kind("ResourceQuota", namespace)
    )


def about(quota: Quota, workload: Workload, needs: Sequence[Need]) -> bool:
    """Whether the pods of a workload are in every scope of a quota. Raises Malformed for a scope
    that is not known.
    """
    spec = quota.resource.spec
    selector = spec.get("scopeSelector")
    named = _listed(spec.get("scopes"))
    expressions = _listed(selector.get("matchExpressions")) if isinstance(selector, dict) else []
    wanted = [{"scopeName": name, "operator": "Exists"} for name in named]
    wanted += [e for e in expressions if isinstance(e, dict)]
    return all(_in_scope(scope, workload, needs) for scope in wanted)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(("spec",), "a scope of the quota is no list")
    return value


def _in_scope(scope: dict[str, Any], workload: Workload, needs: Sequence[Need]) -> bool:
    name = scope.get("scopeName")
    match name:
        case "Terminating" | "NotTerminating":
            ends = workload.pod.get("activeDeadlineSeconds") is not None
            return ends is (name == "Terminating")
        case "BestEffort" | "NotBestEffort":
            return _best_effort(needs) is (name == "BestEffort")
        case "PriorityClass":
            return _of_class(scope, workload.pod.get("priorityClassName") or "")
    raise Malformed(("spec",), f"the scope {name} is not judged")


def _best_effort(needs: Sequence[Need]) -> bool:
    """Whether no container asks for any processor or memory."""
    asked = (
        part.get(n, 0) for need in needs for part in (need.requests, need.limits) for n in _QOS
    )
    return not any(asked)


_QOS: Final = ("cpu", "memory")


def _of_class(scope: dict[str, Any], name: Any) -> bool:
    values = _listed(scope.get("values"))
    match scope.get("operator"):
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in values
        case "NotIn":
            return name not in values
    raise Malformed(("spec",), f"the operator {scope.get('operator')} is not known")


def unsaid(quota: Quota, needs: Sequence[Need]) -> Iterator[tuple[Need, str]]:
    """The containers that do not give an amount that the quota demands of each."""
    for key in quota.hard:
        part, name = FORCING.get(key, ("", ""))
        for need in needs if part else ():
            if name not in (need.requests if part == "requests" else need.limits):
                yield need, f"{part}.{name}"


def usage(quota: Quota, needs: Sequence[Need]) -> Amounts:
    """What one pod takes of the quota's bounds."""
    regular, init = [n for n in needs if not n.init], [n for n in needs if n.init]
    requests = total((n.requests for n in regular), (n.requests for n in init))
    limits = total((n.limits for n in regular), (n.limits for n in init))
    found: Amounts = {}
    for key in quota.hard:
        if key in _PODS:
            found[key] = 1000
            continue
        match = re.fullmatch(r"(?:(requests|limits)\.)?([A-Za-z0-9.-]+(?:/[A-Za-z0-9._-]+)?)", key)
        if match is None or key.startswith("count/"):
            continue
        kind, name = match.groups()
        if kind is None and name not in _SHORT and not name.startswith("hugepages-"):
            continue
        found[key] = (limits if kind == "limits" else requests).get(name, 0)
    return found
