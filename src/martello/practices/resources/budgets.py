"""Pod disruption budgets: whom they select and how many pods they let go."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Resource, strings
from martello.core.selection import selection
from martello.core.selector import MalformedSelector, matches
from martello.core.workload import Workload

BUDGET: Final = "PodDisruptionBudget.policy"


def covered(budget: Resource, cluster: Cluster) -> list[Workload]:
    """The workloads whose pods a budget counts. A template without labels stands for the labels
    that its workload selects by. Raises MalformedSelector.
    """
    selector = budget.spec.get("selector")
    if selector is None and budget.ref.version == "v1":
        return []
    namespace = budget.ref.namespace
    found = list(selection(cluster).selected(namespace, selector))
    for workload in _unlabelled(cluster).get(namespace, ()):
        if matches(selector, _own_selector(workload)):
            found.append(workload)
    return found


@lru_cache(maxsize=2)
def _unlabelled(cluster: Cluster) -> dict[str, list[Workload]]:
    """The workloads whose pods have no labels, by namespace."""
    found: dict[str, list[Workload]] = {}
    for workload in cluster.workloads():
        if not workload.labels:
            found.setdefault(workload.namespace, []).append(workload)
    return found


def _own_selector(workload: Workload) -> dict[str, str]:
    selector = workload.resource.spec.get("selector")
    return strings(selector.get("matchLabels")) if isinstance(selector, dict) else {}


@lru_cache(maxsize=2)
def guarded(cluster: Cluster) -> frozenset[int]:
    """The ids of the resources that some budget covers."""
    found: set[int] = set()
    for budget in cluster.of_kind(BUDGET):
        try:
            found.update(id(w.resource) for w in covered(budget, cluster))
        except MalformedSelector:
            continue
    return frozenset(found)


def share(value: Any, of: int) -> int | None:
    """A number of pods, given as such or as a percentage, which is rounded up as the disruption
    controller does; None where it is neither.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}%", value, re.ASCII):
        return -(-int(value[:-1]) * of // 100)
    return None
