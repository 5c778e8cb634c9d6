"""ValidatingAdmissionPolicies and their bindings, read into the model and checked as the API server
does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from martello.catalogue.policy.model import (
    KUBERNETES,
    REASONS,
    Binding,
    Constraints,
    Named,
    ParamRef,
    Policy,
    Rule,
    Validation,
)
from martello.catalogue.policy.raw import (
    Malformed,
    items,
    mapping,
    needed,
    one_of,
    text,
    texts,
)
from martello.core.path import Path, look_up, show
from martello.core.resource import Resource

_MOST_CONDITIONS: Final = 64
_MOST_ANNOTATIONS: Final = 20
_LONGEST_ANNOTATION: Final = 5 * 1024
_OPERATIONS: Final = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")
_ACTIONS: Final = ("Deny", "Warn", "Audit")
_IDENTIFIER: Final = r"[_a-zA-Z][_a-zA-Z0-9]*"
_QUALIFIED: Final = (
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_SPEC: Final[Path] = ("spec",)


def read_policy(resource: Resource, dialect: str = KUBERNETES) -> Policy:
    """The policy. Raises Malformed for one that the server would not take."""
    raw = resource.raw
    param_kind = mapping(raw, (*_SPEC, "paramKind"))
    kind = None
    if param_kind:
        kind = (
            needed(raw, (*_SPEC, "paramKind", "apiVersion")),
            needed(raw, (*_SPEC, "paramKind", "kind")),
        )
    match = read_constraints(raw, (*_SPEC, "matchConstraints"))
    if not match.rules:
        raise Malformed("spec.matchConstraints.resourceRules needs at least one rule")
    policy = Policy(
        resource.ref.name,
        dialect,
        resource,
        match,
        read_validations(raw, (*_SPEC, "validations")),
        variables=read_variables(raw, (*_SPEC, "variables")),
        conditions=read_conditions(raw, (*_SPEC, "matchConditions")),
        audit=read_audit(raw, (*_SPEC, "auditAnnotations")),
        fail=one_of(raw, (*_SPEC, "failurePolicy"), ("Fail", "Ignore"), "Fail") == "Fail",
        param_kind=kind,
    )
    if not policy.validations and not policy.audit:
        raise Malformed("spec needs at least one validation or audit annotation")
    return policy


def read_binding(resource: Resource) -> Binding:
    """The binding. Raises Malformed for one that the server would not take."""
    raw = resource.raw
    actions = read_actions(raw, (*_SPEC, "validationActions"))
    if not actions:
        raise Malformed("spec.validationActions is missing")
    match = None
    if look_up(raw, (*_SPEC, "matchResources")) is not None:
        match = read_constraints(raw, (*_SPEC, "matchResources"))
    reference = None
    if look_up(raw, (*_SPEC, "paramRef")) is not None:
        reference = read_reference(raw, (*_SPEC, "paramRef"))
    policy = needed(raw, (*_SPEC, "policyName"))
    return Binding(resource.ref.name, policy, actions, match, reference, resource=resource)


def read_actions(raw: Any, path: Path, *, lenient: bool = False) -> tuple[str, ...]:
    """validationActions: what a denial does, each once, Deny and Warn not together (unless
    `lenient`).
    """
    actions = texts(raw, path)
    unknown = [a for a in actions if a not in _ACTIONS]
    if unknown or len(set(actions)) != len(actions):
        raise Malformed(f"{show(path)} takes each of {', '.join(_ACTIONS)} at most once")
    if "Deny" in actions and "Warn" in actions and not lenient:
        raise Malformed(f"{show(path)} must not contain both Deny and Warn")
    return actions


def read_reference(raw: Any, path: Path) -> ParamRef:
    """paramRef: a name or a selector, and what an absent parameter does."""
    name = text(raw, (*path, "name"))
    chosen = look_up(raw, (*path, "selector"))
    selector = None if chosen is None else mapping(raw, (*path, "selector"))
    if bool(name) == (selector is not None):
        raise Malformed(f"{show(path)} needs a name or a selector, not both")
    missing = one_of(raw, (*path, "parameterNotFoundAction"), ("Allow", "Deny"), "Deny")
    return ParamRef(name, text(raw, (*path, "namespace")), selector, missing == "Deny")


def read_constraints(raw: Any, path: Path) -> Constraints:
    """matchConstraints or matchResources."""
    policy = one_of(raw, (*path, "matchPolicy"), ("Exact", "Equivalent"), "Equivalent")
    return Constraints(
        _rules(raw, (*path, "resourceRules")),
        _rules(raw, (*path, "excludeResourceRules")),
        mapping(raw, (*path, "namespaceSelector")),
        mapping(raw, (*path, "objectSelector")),
        policy == "Equivalent",
    )


def _rules(raw: Any, path: Path) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for where, rule in items(raw, path):
        operations = texts(rule, ("operations",))
        if not operations or any(o not in _OPERATIONS for o in operations):
            raise Malformed(f"{show(where)}.operations needs some of {', '.join(_OPERATIONS)}")
        groups, versions = texts(rule, ("apiGroups",)), texts(rule, ("apiVersions",))
        resources = texts(rule, ("resources",))
        if not groups or not versions or not resources:
            raise Malformed(f"{show(where)} needs apiGroups, apiVersions and resources")
        scope = one_of(rule, ("scope",), ("*", "Cluster", "Namespaced"), "*")
        names = texts(rule, ("resourceNames",))
        rules.append(Rule(operations, groups, versions, resources, scope, names))
    return tuple(rules)


def read_conditions(raw: Any, path: Path) -> tuple[Named, ...]:
    """matchConditions (Kyverno: celPreconditions): at most 64, each with a name of its own."""
    conditions = _named(raw, path, "name", "expression", _is_qualified)
    if len(conditions) > _MOST_CONDITIONS:
        raise Malformed(f"{show(path)} has more than {_MOST_CONDITIONS} conditions")
    return conditions


def read_variables(raw: Any, path: Path) -> tuple[Named, ...]:
    """Variables, in order; names are CEL identifiers."""
    return _named(raw, path, "name", "expression", _is_identifier)


def read_audit(raw: Any, path: Path) -> tuple[Named, ...]:
    """auditAnnotations: at most 20, of at most 5 kB each."""
    annotations = _named(raw, path, "key", "valueExpression", _is_qualified)
    if len(annotations) > _MOST_ANNOTATIONS:
        raise Malformed(f"{show(path)} has more than {_MOST_ANNOTATIONS} annotations")
    for annotation in annotations:
        if len(annotation.expression.encode()) > _LONGEST_ANNOTATION:
            raise Malformed(f"{show(annotation.path)} is longer than 5 kB")
    return annotations


def _named(
    raw: Any, path: Path, name_key: str, key: str, fits: Callable[[str], bool]
) -> tuple[Named, ...]:
    found: dict[str, Named] = {}
    for where, element in items(raw, path):
        name = needed(element, (name_key,))
        if not fits(name):
            raise Malformed(f"{show(where)}.{name_key} is no valid name")
        if name in found:
            raise Malformed(f"{show(where)}.{name_key} is taken already")
        found[name] = Named(name, needed(element, (key,)), (*where, key))
    return tuple(found.values())


def _is_identifier(name: str) -> bool:
    return re.fullmatch(_IDENTIFIER, name) is not None


def _is_qualified(name: str) -> bool:
    return re.fullmatch(_QUALIFIED, name) is not None


def read_validations(raw: Any, path: Path, *, lines: bool = False) -> tuple[Validation, ...]:
    """Validations: an expression each, a message (of one line, unless `lines`), a legal reason."""
    found: list[Validation] = []
    for where, element in items(raw, path):
        message = text(element, ("message",))
        if "\n" in message.strip() and not lines:
            raise Malformed(f"{show(where)}.message must not contain line breaks")
        found.append(
            Validation(
                needed(element, ("expression",)),
                (*where, "expression"),
                message,
                text(element, ("messageExpression",)),
                one_of(element, ("reason",), REASONS, "Invalid"),
            )
        )
    return tuple(found)
