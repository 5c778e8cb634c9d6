"""On which nodes the pods of a DaemonSet run: selectors, required affinity, taints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from martello.core.resource import Resource, strings
from martello.core.workload import Workload

# What the DaemonSet controller tolerates for its pods, whatever the template says.
_ALWAYS: Final = frozenset(
    (
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    )
)
_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Malformed(ValueError):
    """A rule of placement that the API server would refuse."""


def runs_on(daemon: Workload, node: Resource) -> bool:
    """Whether the DaemonSet puts a pod onto the node. Raises Malformed."""
    pod = daemon.pod
    labels = node.labels
    if any(labels.get(k) != v for k, v in strings(pod.get("nodeSelector")).items()):
        return False
    affinity = pod.get("affinity")
    wanted = affinity.get("nodeAffinity") if isinstance(affinity, dict) else None
    required = (
        wanted.get("requiredDuringSchedulingIgnoredDuringExecution")
        if isinstance(wanted, dict)
        else None
    )
    if required is not None and not _in_terms(required, node):
        return False
    return all(_tolerated(taint, pod) for taint in _mappings(node.spec.get("taints")))


def _mappings(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Malformed("taints, tolerations and terms are lists of mappings")
    return value


def _in_terms(required: Any, node: Resource) -> bool:
    """Terms are alternatives; all expressions of one must hold; an empty term takes no node."""
    if not isinstance(required, dict):
        raise Malformed("the required node affinity is a mapping")
    for term in _mappings(required.get("nodeSelectorTerms")):
        expressions = _mappings(term.get("matchExpressions"))
        fields = _mappings(term.get("matchFields"))
        if not expressions and not fields:
            continue
        name = {"metadata.name": node.ref.name}
        if all(_holds(e, node.labels) for e in expressions) and all(
            _holds(f, name) for f in fields
        ):
            return True
    return False


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = expression.get("key"), expression.get("operator")
    values = expression.get("values") or []
    if not isinstance(key, str) or not isinstance(values, list):
        raise Malformed("a term of the node affinity has a key and values")
    here = labels.get(key)
    match operator:
        case "In":
            return here in values
        case "NotIn":
            return here not in values
        case "Exists":
            return here is not None
        case "DoesNotExist":
            return here is None
        case "Gt" | "Lt":
            return _compared(here, values, greater=operator == "Gt")
    raise Malformed(f"the operator {operator} of the node affinity is not known")


def _compared(here: str | None, values: list[Any], *, greater: bool) -> bool:
    try:
        number, bound = int(here or ""), int(values[0])
    except (ValueError, TypeError, IndexError):
        return False
    return number > bound if greater else number < bound


def _tolerated(taint: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    """PreferNoSchedule keeps nobody away."""
    key, value, effect = taint.get("key"), taint.get("value") or "", taint.get("effect")
    if not isinstance(key, str) or not isinstance(effect, str):
        raise Malformed("a taint has a key and an effect")
    if effect == "PreferNoSchedule" or (key, effect) in _ALWAYS:
        return True
    if pod.get("hostNetwork") is True and (key, effect) == _NETWORK:
        return True
    for toleration in _mappings(pod.get("tolerations")):
        if toleration.get("effect") not in (None, "", effect):
            continue
        exists = toleration.get("operator") == "Exists"
        if not toleration.get("key"):
            if exists:
                return True
        elif toleration["key"] == key and (exists or (toleration.get("value") or "") == value):
            return True
    return False
