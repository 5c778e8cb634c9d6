"""Where pods may be: on which nodes their own words let them, and where unplaced ones are put."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from martello.core.path import look_up
from martello.core.selector import MalformedSelector, matches
from martello.practices.resources.node.model import Node, Pod


def placed(pods: Iterable[Pod], nodes: Sequence[Node]) -> tuple[tuple[Pod, ...], bool]:
    """The pods with a node for each, and whether any had to be guessed. A pod without a node goes
    where its words let it and most memory is not asked for yet: as the scheduler spreads them.
    What no node takes is left out.
    """
    known = {node.name for node in nodes}
    free = {node.name: _free(node) for node in nodes}
    found: list[Pod] = []
    open_: list[Pod] = []
    for pod in pods:
        if pod.node in known and pod.node:
            found.append(pod)
            _take(free[pod.node], pod)
        elif not pod.node:
            open_.append(pod)
    for pod in open_:
        here = [node for node in nodes if may_be(pod, node)]
        if not here:
            continue
        best = max(here, key=lambda node: (_fits(free[node.name], pod), free[node.name]["memory"]))
        _take(free[best.name], pod)
        found.append(msgspec.structs.replace(pod, node=best.name) if best.name else pod)
    return tuple(found), bool(open_)


def _free(node: Node) -> dict[str, int]:
    return {name: node.allocatable.get(name, 0) for name in ("cpu", "memory")}


def _take(free: dict[str, int], pod: Pod) -> None:
    for name in free:
        free[name] -= pod.request.get(name, 0)


def _fits(free: dict[str, int], pod: Pod) -> bool:
    return all(amount >= pod.request.get(name, 0) for name, amount in free.items())


def may_be(pod: Pod, node: Node) -> bool:
    """Whether nodeName, nodeSelector, required node affinity and taints let a pod onto a node."""
    spec = pod.raw.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    named = spec.get("nodeName")
    if isinstance(named, str) and named:
        return named == node.name
    if not node.name:  # an assumed node stands for one that fits
        return True
    if node.unschedulable and not _tolerates(spec, _UNSCHEDULABLE):
        return False
    wanted = spec.get("nodeSelector")
    if isinstance(wanted, dict) and any(node.labels.get(k) != v for k, v in wanted.items()):
        return False
    if not _affine(spec, node):
        return False
    return all(
        taint.get("effect") == "PreferNoSchedule" or _tolerates(spec, taint)
        for taint in node.taints
    )


_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def _tolerates(spec: dict[str, Any], taint: dict[str, Any]) -> bool:
    listed = spec.get("tolerations")
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, dict):
            continue
        if one.get("effect") not in (None, "", taint.get("effect")):
            continue
        key, operator = one.get("key") or "", one.get("operator") or "Equal"
        if not key and operator == "Exists":
            return True
        if key == taint.get("key") and (
            operator == "Exists" or (one.get("value") or "") == (taint.get("value") or "")
        ):
            return True
    return False


_REQUIRED = (
    "affinity",
    "nodeAffinity",
    "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms",
)


def _affine(spec: dict[str, Any], node: Node) -> bool:
    """Terms are alternatives; those that compare numbers or fields are taken for met."""
    terms = look_up(spec, _REQUIRED)
    if not isinstance(terms, list):
        return True
    return any(isinstance(term, dict) and _term(term, node) for term in terms)


def _term(term: dict[str, Any], node: Node) -> bool:
    expressions = [
        one
        for one in term.get("matchExpressions") or ()
        if isinstance(one, dict) and one.get("operator") not in ("Gt", "Lt")
    ]
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False  # an empty term selects nothing
    try:
        return matches({"matchExpressions": expressions}, node.labels)
    except MalformedSelector:
        return True
