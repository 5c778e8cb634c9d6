"""Who may still change a pod that comes in: mutating webhooks and policies, autoscalers of pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector, matches
from martello.core.workload import Workload

_WEBHOOKS: Final = "MutatingWebhookConfiguration.admissionregistration.k8s.io"
_POLICIES: Final = "MutatingAdmissionPolicy.admissionregistration.k8s.io"
_BINDINGS: Final = "MutatingAdmissionPolicyBinding.admissionregistration.k8s.io"
_SCALERS: Final = "VerticalPodAutoscaler.autoscaling.k8s.io"


def changers(world: Cluster, workload: Workload) -> tuple[Resource, ...]:
    """What may change the pods of a workload after LimitRanges did, before quotas count them."""
    found = [*_webhooks(world, workload), *_policies(world, workload), *_scalers(world, workload)]
    return tuple(dict.fromkeys(found))


def _webhooks(world: Cluster, workload: Workload) -> Iterator[Resource]:
    for resource in world.of_kind(_WEBHOOKS):
        hooks = resource.raw.get("webhooks")
        for hook in hooks if isinstance(hooks, list) else ():
            if isinstance(hook, dict) and _concerned(world, workload, hook, hook.get("rules")):
                yield resource
                break


def _policies(world: Cluster, workload: Workload) -> Iterator[Resource]:
    bound = {binding.spec.get("policyName") for binding in world.of_kind(_BINDINGS)}
    for resource in world.of_kind(_POLICIES):
        given = resource.spec.get("matchConstraints")
        constraints = given if isinstance(given, dict) else {}
        rules = constraints.get("resourceRules")
        if resource.ref.name in bound and _concerned(world, workload, constraints, rules):
            yield resource


def _concerned(world: Cluster, workload: Workload, raw: dict[str, Any], rules: Any) -> bool:
    """Whether rules and selectors take in pods of the workload that are created. What cannot be
    read, and a namespace whose labels are not here, counts as taken in.
    """
    listed = rules if isinstance(rules, list) else []
    if not any(isinstance(rule, dict) and _of_pods(rule) for rule in listed):
        return False
    labels = world.namespace_labels(workload.namespace)
    try:
        if labels is not None and not _selects(raw.get("namespaceSelector"), labels):
            return False
        return _selects(raw.get("objectSelector"), workload.labels)
    except MalformedSelector:
        return True


def _selects(selector: Any, labels: dict[str, str]) -> bool:
    return selector is None or matches(selector, labels)


def _of_pods(rule: dict[str, Any]) -> bool:
    return all(
        _lists(rule.get(key), wanted)
        for key, wanted in (
            ("operations", ("*", "CREATE")),
            ("apiGroups", ("*", "")),
            ("resources", ("*", "*/*", "pods", "pods/*")),
        )
    )


def _lists(value: Any, wanted: tuple[str, ...]) -> bool:
    return isinstance(value, list) and any(word in wanted for word in value)


def _scalers(world: Cluster, workload: Workload) -> Iterator[Resource]:
    ref = workload.resource.ref
    for resource in world.of_kind(_SCALERS, ref.namespace):
        target, policy = resource.spec.get("targetRef"), resource.spec.get("updatePolicy")
        mode = policy.get("updateMode") if isinstance(policy, dict) else None
        if (mode or "Auto") == "Off" or not isinstance(target, dict):
            continue
        if (target.get("kind"), target.get("name")) == (ref.kind, ref.name):
            yield resource
