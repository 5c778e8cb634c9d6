"""Scopes of a ResourceQuota: which pods, and which claims, it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from martello.practices.resources.amounts import Malformed

POD_SCOPES: Final = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
)
_OF_VOLUMES: Final = "VolumeAttributesClass"


class Scope(msgspec.Struct, frozen=True):
    """One scope with its operator: In, NotIn, Exists or DoesNotExist."""

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.operator == "Exists":
            return self.name
        listed = f" ({', '.join(self.values)})" if self.values else ""
        return f"{self.name} {self.operator}{listed}"


class Subject(msgspec.Struct, frozen=True):
    """What scopes look at: of a pod, or the attribute classes of a claim."""

    pod: bool = False
    terminating: bool = False
    best_effort: bool = False
    priority_class: str = ""
    cross_namespace: bool = False
    volume_classes: frozenset[str] = frozenset()


def scopes(spec: dict[str, Any]) -> tuple[Scope, ...]:
    """The scopes of a quota; all must hold. Raises Malformed."""
    selector = spec.get("scopeSelector")
    given = selector.get("matchExpressions") if isinstance(selector, dict) else None
    named = [_scope(name, "Exists", None) for name in _listed(spec.get("scopes"))]
    return (*named, *expressions(given))


def expressions(given: Any) -> tuple[Scope, ...]:
    """The scopes of a list of expressions. Raises Malformed."""
    found: list[Scope] = []
    for raw in _listed(given):
        if not isinstance(raw, dict):
            raise Malformed(("spec",), "a scope of the quota is no mapping")
        found.append(_scope(raw.get("scopeName"), raw.get("operator"), raw.get("values")))
    return tuple(found)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(("spec",), "a scope of the quota is no list")
    return value


def _scope(name: Any, operator: Any, values: Any) -> Scope:
    listed = _listed(values)
    if not all(isinstance(word, str) for word in (name, operator, *listed)):
        raise Malformed(("spec",), "a scope of the quota is no text")
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        raise Malformed(("spec",), f"the operator {operator[:60]} is not known")
    if name not in (*POD_SCOPES, _OF_VOLUMES):
        raise Malformed(("spec",), f"the scope {name[:60]} is not known")
    return Scope(name, operator, tuple(listed))


def inside(found: Iterable[Scope], subject: Subject) -> bool:
    """Whether the subject is in every scope."""
    return all(in_scope(scope, subject) for scope in found)


def in_scope(scope: Scope, subject: Subject) -> bool:
    """Whether the subject is in the scope; neither pod nor claim is in no scope at all."""
    if not subject.pod:
        classes = subject.volume_classes
        if scope.name != _OF_VOLUMES or scope.operator == "Exists":
            return scope.name == _OF_VOLUMES and bool(classes)
        return any(_class(scope, name) for name in (classes or ("",)))
    match scope.name:
        case "Terminating":
            return subject.terminating
        case "NotTerminating":
            return not subject.terminating
        case "BestEffort":
            return subject.best_effort
        case "NotBestEffort":
            return not subject.best_effort
        case "PriorityClass":
            return _class(scope, subject.priority_class)
        case "CrossNamespacePodAffinity":
            return subject.cross_namespace
    return False


def _class(scope: Scope, name: str) -> bool:
    """`NotIn` takes what has no class, too."""
    match scope.operator:
        case "In":
            return bool(name) and name in scope.values
        case "NotIn":
            return name not in scope.values
        case "Exists":
            return bool(name)
    return not name
