"""Roles and bindings that no API server stores: each fault with the place where it is written.

Source: pkg/apis/rbac/validation/validation.go in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.path import Path
from martello.core.resource import Resource
from martello.practices.access.bindings import reference_fault, subject_fault
from martello.practices.access.rules import fault_of, read_role, stored


def refusals(resource: Resource) -> Iterator[tuple[Path, str]]:
    """Why the API server answers 422 to a role or binding; nothing for what it has stored."""
    if stored(resource):
        return
    if resource.ref.kind in ("Role", "ClusterRole"):
        yield from _of_role(resource)
    else:
        yield from _of_binding(resource)


def _of_role(resource: Resource) -> Iterator[tuple[Path, str]]:
    wide = resource.ref.kind == "ClusterRole"
    role = read_role(resource)
    written = resource.raw.get("rules")
    if written is not None and not isinstance(written, list):
        yield ("rules",), "rules is no list"
        return
    read = {rule.index: rule for rule in role.rules}
    for index in range(len(written or ())):
        rule = read.get(index)
        fault = fault_of(rule, wide) if rule is not None else "is no rule"
        if fault:
            yield ("rules", index), f"rules[{index}] {fault}"
    gathers = resource.raw.get("aggregationRule")
    if wide and isinstance(gathers, dict) and not gathers.get("clusterRoleSelectors"):
        yield ("aggregationRule",), "aggregationRule has no clusterRoleSelectors"


def _of_binding(resource: Resource) -> Iterator[tuple[Path, str]]:
    wide = resource.ref.kind == "ClusterRoleBinding"
    fault = reference_fault(resource.raw.get("roleRef"), wide)
    if fault:
        yield ("roleRef",), fault
    written = resource.raw.get("subjects")
    if written is not None and not isinstance(written, list):
        yield ("subjects",), "subjects is no list"
        return
    for index, raw in enumerate(written or ()):
        fault = subject_fault(raw, wide)
        if fault:
            yield ("subjects", index), f"subjects[{index}] {fault}"
