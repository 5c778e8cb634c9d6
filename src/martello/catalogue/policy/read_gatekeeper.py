"""Gatekeeper's ConstraintTemplates that hold CEL, and the constraints made of them.

A template is the policy, each constraint a binding with its parameters in place. Rego is
recognised, and said to be not assessed.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.catalogue.policy.model import (
    GATEKEEPER,
    Binding,
    ConstraintMatch,
    Constraints,
    Policy,
    Validation,
)
from martello.catalogue.policy.raw import Malformed, items, mapping, needed, one_of, text, texts
from martello.catalogue.policy.read_vap import read_conditions, read_validations, read_variables
from martello.core.path import Path, look_up
from martello.core.resource import Resource

GROUP: Final = "constraints.gatekeeper.sh"
ENGINE: Final = "K8sNativeValidation"
_ACTIONS: Final = {"deny": ("Deny",), "warn": ("Warn",), "dryrun": ("Audit",)}


class OtherEngine(Exception):
    """The template is written in a language that is not read here; the message names it."""


def constraint_kind(template: Resource) -> str:
    """The kind of the constraints that a template defines."""
    return needed(template.raw, ("spec", "crd", "spec", "names", "kind"))


def read_template(resource: Resource) -> Policy:
    """The policy of a template. Raises OtherEngine where it holds no CEL, Malformed."""
    raw = resource.raw
    kind = constraint_kind(resource)
    source, where = _source(raw)
    policy = one_of(source, ("failurePolicy",), ("Fail", "Ignore"), "Fail")
    validations = read_validations(source, ("validations",), lines=True)
    if not validations:
        raise Malformed("the template has no validations")
    return Policy(
        kind,
        GATEKEEPER,
        resource,
        Constraints(),
        tuple(_at(v, where) for v in validations),
        variables=read_variables(source, ("variables",)),
        conditions=read_conditions(source, ("matchCondition",)),  # the name Gatekeeper reads
        fail=policy == "Fail",
    )


def _at(validation: Validation, where: Path) -> Validation:
    """The same, with its path from the top of the template."""
    return msgspec.structs.replace(validation, path=(*where, *validation.path))


def _source(raw: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    languages: list[str] = []
    for target, element in items(raw, ("spec", "targets")):
        for where, code in items(element, ("code",)):
            engine = text(code, ("engine",))
            if engine == ENGINE:
                mapping(code, ("source",))
                return code.get("source") or {}, (*target, *where, "source")
            languages.append(engine or "an unnamed engine")
        if element.get("rego") is not None:
            languages.append("Rego")
    raise OtherEngine(", ".join(sorted(set(languages))) or "no code at all")


def read_constraint(resource: Resource) -> Binding:
    """The constraint, as the binding of its template. Raises Malformed."""
    raw = resource.raw
    action = text(raw, ("spec", "enforcementAction"), "deny") or "deny"
    return Binding(
        resource.ref.name,
        resource.ref.kind,
        _scoped(raw) if action == "scoped" else _ACTIONS.get(action, ("Audit",)),
        _match(raw),
        parameters=mapping(raw, ("spec", "parameters")),
        resource=resource,
    )


def _scoped(raw: dict[str, Any]) -> tuple[str, ...]:
    """The actions of the enforcement points that stand at admission."""
    actions: list[str] = []
    for _, element in items(raw, ("spec", "scopedEnforcementActions")):
        points = {text(p, ("name",)) for _, p in items(element, ("enforcementPoints",))}
        if points & {"*", "validation.gatekeeper.sh", "vap.k8s.io"}:
            actions += _ACTIONS.get(text(element, ("action",)), ())
    return tuple(dict.fromkeys(actions))


def _match(raw: dict[str, Any]) -> ConstraintMatch:
    path = ("spec", "match")
    match = mapping(raw, path)
    kinds = tuple(
        (texts(element, ("apiGroups",)) or ("*",), texts(element, ("kinds",)) or ("*",))
        for _, element in items(match, ("kinds",))
    )
    labels = look_up(match, ("labelSelector",))
    spaces = look_up(match, ("namespaceSelector",))
    return ConstraintMatch(
        kinds,
        text(match, ("scope",), "*"),
        text(match, ("name",)),
        texts(match, ("namespaces",)),
        texts(match, ("excludedNamespaces",)),
        None if labels is None else mapping(match, ("labelSelector",)),
        None if spaces is None else mapping(match, ("namespaceSelector",)),
        text(match, ("source",)) == "Generated",
    )
