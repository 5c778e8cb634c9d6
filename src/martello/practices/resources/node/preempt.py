"""Whom the scheduler removes from a node so that a pod of higher priority fits.

Read in Kubernetes 1.20.2 and 1.37.2: pkg/scheduler/framework/plugins/defaultpreemption
(`SelectVictimsOnNode`, `filterPodsWithPDBViolation`), `pickOneNodeForPreemption`, `fitsRequest` of
noderesources/fit.go, `MoreImportantPod` of pkg/scheduler/util. Between them: a resource that is not
asked for is not looked at since 1.28 (#116408); the victims of a node are sorted again after those
with and without a budget were tried, since 1.32 (#128307): before, the first one's priority stood
for the highest.

Only resources and the number of pods are looked at: selectors, taints, ports and spread decide
beforehand which nodes there are. With more than 100 nodes the scheduler tries a random tenth of
them, at least 100: its choice is then one among those, the best of all is what is told here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.selector import MalformedSelector, matches
from martello.core.version import NEWEST
from martello.practices.resources.amounts import Amounts
from martello.practices.resources.budgets import BUDGET
from martello.practices.resources.node.model import Node, Pod

_ASKED_ONLY: Final = 28
_SORTED_AGAIN: Final = 32
_FIRST_BROKEN: Final = 37
_LOWEST: Final = 1 << 31
_POOLS: Final = ("cpu", "memory", "ephemeral-storage")


class Budget(msgspec.Struct, frozen=True):
    """A PodDisruptionBudget: whom it selects, and how many pods may go now."""

    namespace: str
    selector: dict[str, Any] | None
    allowed: int
    disrupted: frozenset[str] = frozenset()  # names of pods that count as gone already


class Choice(msgspec.Struct, frozen=True):
    """One node and who has to leave it, the most important first."""

    node: str
    victims: tuple[Pod, ...]
    violations: int  # victims whose budgets allow nothing


def budgets(world: Cluster) -> tuple[Budget, ...]:
    """The budgets of a world, by their status; without one, nothing is allowed."""
    found: list[Budget] = []
    for resource in world.of_kind(BUDGET):
        status = resource.raw.get("status")
        status = status if isinstance(status, dict) else {}
        allowed, gone = status.get("disruptionsAllowed"), status.get("disruptedPods")
        selector = resource.spec.get("selector")
        found.append(
            Budget(
                resource.ref.namespace,
                selector if isinstance(selector, dict) else None,
                allowed if isinstance(allowed, int) and not isinstance(allowed, bool) else 0,
                frozenset(gone) if isinstance(gone, dict) else frozenset(),
            )
        )
    return tuple(found)


def victims(
    pod: Pod,
    nodes: Sequence[Node],
    placed: Mapping[str, Sequence[Pod]],
    budgets: Sequence[Budget] = (),
    kubernetes: int = NEWEST,
) -> tuple[Choice, ...]:
    """The nodes between which the scheduler chooses at random, each with its victims: usually one;
    none where the pod fits without, may not preempt, or fits nowhere. `nodes` are those on which
    the pod may be but for what is used there (selectors, taints: the caller's); `placed` by name.
    """
    if not pod.preempts:
        return ()
    here = [(node, placed.get(node.name, ())) for node in nodes]
    if any(_fits(pod, node, _taken(on), len(on), kubernetes) for node, on in here):
        return ()
    found = [on_node(pod, node, on, budgets, kubernetes) for node, on in here]
    choices = [choice for choice in found if choice is not None]
    for score in (_violations, _highest, _sum, _count, _started):
        best = min(map(score, choices), default=None)
        choices = [choice for choice in choices if score(choice) == best]
    return tuple(choices)


def _violations(choice: Choice) -> float:
    return choice.violations


def _highest(choice: Choice) -> float:
    return choice.victims[0].priority if choice.victims else -_LOWEST


def _sum(choice: Choice) -> float:
    return sum(victim.priority + _LOWEST for victim in choice.victims)


def _count(choice: Choice) -> float:
    return len(choice.victims)


def _started(choice: Choice) -> float:
    """The earliest start among victims of the highest priority: the latest such is best."""
    top = max((victim.priority for victim in choice.victims), default=0)
    return -min((v.started for v in choice.victims if v.priority == top), default=math.inf)


def on_node(
    pod: Pod,
    node: Node,
    placed: Sequence[Pod],
    budgets: Sequence[Budget] = (),
    kubernetes: int = NEWEST,
) -> Choice | None:
    """Who has to leave one node for a pod; None where that does not help. Among pods of one
    priority and start the scheduler takes any; here the first of `placed` stays.
    """
    lower = sorted((one for one in placed if one.priority < pod.priority), key=_importance)
    kept = [one for one in placed if one.priority >= pod.priority]
    taken, count = _taken(kept), len(kept)
    if not lower or not _fits(pod, node, taken, count, kubernetes):
        return None
    violating, others = _by_budget(lower, budgets, kubernetes)
    gone: list[Pod] = []
    broken = 0
    for index, one in enumerate((*violating, *others)):
        _add(taken, one.request)
        if _fits(pod, node, taken, count + 1, kubernetes):
            count += 1
            continue
        for name, milli in one.request.items():
            taken[name] -= milli
        broken += index < len(violating)
        gone.append(one)
    if kubernetes >= _SORTED_AGAIN:
        gone.sort(key=_importance)
    return Choice(node.name, tuple(gone), broken)


def _importance(pod: Pod) -> tuple[int, float]:
    return (-pod.priority, pod.started)


def _taken(pods: Sequence[Pod]) -> Amounts:
    found: Amounts = {}
    for pod in pods:
        _add(found, pod.request)
    return found


def _add(found: Amounts, more: Amounts) -> None:
    for name, milli in more.items():
        found[name] = found.get(name, 0) + milli


def _fits(pod: Pod, node: Node, taken: Amounts, count: int, kubernetes: int) -> bool:
    """Whether a pod fits beside `count` others. One that asks for nothing fits wherever there is a
    place left.
    """
    if count + 1 > node.allocatable.get("pods", 0) // 1000:
        return False
    asked = {name: milli for name, milli in pod.request.items() if milli or name not in _POOLS}
    if not asked:
        return True
    if kubernetes < _ASKED_ONLY:
        asked = {name: asked.get(name, 0) for name in (*_POOLS, *asked)}
    else:
        asked = {name: milli for name, milli in asked.items() if milli}
    return all(
        milli + taken.get(name, 0) <= node.allocatable.get(name, 0) for name, milli in asked.items()
    )


def _by_budget(
    pods: Sequence[Pod], budgets: Sequence[Budget], kubernetes: int
) -> tuple[list[Pod], list[Pod]]:
    """The pods whose budgets would be broken, and the others; the order stays. An empty selector
    selects nobody here. A pod that breaks a budget leaves those after it alone since 1.37.
    """
    left = [budget.allowed for budget in budgets]
    violating: list[Pod] = []
    others: list[Pod] = []
    for pod in pods:
        broken = False
        labels = _labels(pod)
        for index, budget in enumerate(budgets) if labels else ():
            if not _selected(budget, pod, labels) or pod.name in budget.disrupted:
                continue
            left[index] -= 1
            broken = broken or left[index] < 0
            if broken and kubernetes >= _FIRST_BROKEN:
                break
        (violating if broken else others).append(pod)
    return violating, others


def _labels(pod: Pod) -> dict[str, str]:
    metadata = pod.raw.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def _selected(budget: Budget, pod: Pod, labels: Mapping[str, str]) -> bool:
    if budget.namespace != pod.namespace or budget.selector is None:
        return False
    if not budget.selector.get("matchLabels") and not budget.selector.get("matchExpressions"):
        return False
    try:
        return matches(budget.selector, labels)
    except MalformedSelector:
        return False
