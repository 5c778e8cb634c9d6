"""Kyverno's policies that are written in CEL: ValidatingPolicy, and ClusterPolicy rules with
`validate.cel`.

Rules in Kyverno's older language (patterns, JMESPath) are recognised, and said to be not assessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from martello.catalogue.policy.autogen import (
    about_pods,
    controllers_of_policy,
    controllers_of_rules,
    derived,
)
from martello.catalogue.policy.model import (
    KYVERNO,
    Binding,
    Filter,
    Filters,
    Named,
    ParamRef,
    Policy,
    Validation,
)
from martello.catalogue.policy.raw import Malformed, items, mapping, needed, one_of, text, texts
from martello.catalogue.policy.read_vap import (
    read_actions,
    read_audit,
    read_conditions,
    read_constraints,
    read_reference,
    read_validations,
    read_variables,
)
from martello.core.path import Path, look_up, show
from martello.core.resource import Resource, strings

# What a rule may do other than `validate.cel`, and the language it is written in.
_OTHER: Final = {
    "mutate": "a mutation",
    "generate": "a generation",
    "verifyImages": "an image verification",
}
_OTHER_VALIDATE: Final = {
    "pattern": "a pattern",
    "anyPattern": "a pattern",
    "deny": "JMESPath",
    "foreach": "JMESPath",
    "podSecurity": "a podSecurity block",
    "manifests": "a manifest verification",
    "assert": "an assertion tree",
}

Pairs = list[tuple[Policy, Binding]]


def read_validating_policy(resource: Resource) -> Pairs:
    """The policy and those derived from it, each with the binding it implies. Raises Malformed."""
    raw = resource.raw
    if text(raw, ("spec", "evaluation", "mode"), "Kubernetes") != "Kubernetes":
        raise Malformed("spec.evaluation.mode JSON is about other things than Kubernetes objects")
    match = read_constraints(raw, ("spec", "matchConstraints"))
    if resource.ref.kind == "NamespacedValidatingPolicy":
        match = msgspec.structs.replace(match, namespace=resource.ref.namespace or "default")
    if not match.rules:
        raise Malformed("spec.matchConstraints.resourceRules needs at least one rule")
    policy = Policy(
        resource.ref.name,
        KYVERNO,
        resource,
        match,
        read_validations(raw, ("spec", "validations"), lines=True),
        variables=read_variables(raw, ("spec", "variables")),
        conditions=read_conditions(raw, ("spec", "matchConditions")),
        audit=read_audit(raw, ("spec", "auditAnnotations")),
        fail=one_of(raw, ("spec", "failurePolicy"), ("Fail", "Ignore"), "Fail") == "Fail",
    )
    if not policy.validations:
        raise Malformed("spec.validations is empty")
    actions = read_actions(raw, ("spec", "validationActions"), lenient=True) or ("Deny",)
    binding = Binding("", policy.name, actions, resource=resource)
    kinds = controllers_of_policy(raw, match)
    return [(p, binding) for p in (policy, *derived(policy, kinds))]


def read_cluster_policy(resource: Resource) -> tuple[Pairs, list[tuple[Path, str]]]:
    """The rules in CEL and those derived from them, and for every other rule where it is and in
    what it is written. Raises Malformed.
    """
    raw = resource.raw
    namespace = resource.ref.namespace or "default" if resource.ref.kind == "Policy" else ""
    selections = {path: _filters(rule, namespace) for path, rule in items(raw, ("spec", "rules"))}
    controllers = controllers_of_rules(raw, selections.values())
    pairs: Pairs = []
    others: list[tuple[Path, str]] = []
    for path, rule in items(raw, ("spec", "rules")):
        if look_up(rule, ("validate", "cel")) is None:
            others.append((path, f"rule '{text(rule, ('name',))}' is {_language(rule)}"))
            continue
        policy = _rule(resource, path, rule, selections[path])
        binding = Binding(
            "",
            policy.name,
            _actions(raw, rule),
            param_ref=_param_ref(rule),
            resource=resource,
        )
        kinds = controllers if about_pods(selections[path]) else ()
        pairs += [(p, binding) for p in (policy, *derived(policy, kinds))]
    return pairs, others


def _language(rule: Mapping[str, Any]) -> str:
    for key, word in _OTHER.items():
        if key in rule:
            return word
    validate = rule.get("validate")
    for key, word in _OTHER_VALIDATE.items():
        if isinstance(validate, dict) and key in validate:
            return f"written as {word}"
    return "of an unknown form"


def _rule(resource: Resource, path: Path, rule: dict[str, Any], match: Filters) -> Policy:
    cel: Path = ("validate", "cel")
    message = text(rule, ("validate", "message"))
    validations = tuple(
        _at(v, path, message) for v in read_validations(rule, (*cel, "expressions"), lines=True)
    )
    if not validations:
        raise Malformed(f"{show(path)}.validate.cel.expressions is empty")
    param_kind = None
    if mapping(rule, (*cel, "paramKind")):
        param_kind = (
            needed(rule, (*cel, "paramKind", "apiVersion")),
            needed(rule, (*cel, "paramKind", "kind")),
        )
    return Policy(
        resource.ref.name,
        KYVERNO,
        resource,
        match,
        validations,
        variables=_below(read_variables(rule, (*cel, "variables")), path),
        conditions=_below(read_conditions(rule, ("celPreconditions",)), path),
        audit=_below(read_audit(rule, (*cel, "auditAnnotations")), path),
        param_kind=param_kind,  # failurePolicy is about the webhook: errors always count
        rule=needed(rule, ("name",)),
    )


def _at(validation: Validation, path: Path, message: str) -> Validation:
    return msgspec.structs.replace(
        validation, path=(*path, *validation.path), message=validation.message or message
    )


def _below(named: tuple[Named, ...], path: Path) -> tuple[Named, ...]:
    return tuple(msgspec.structs.replace(n, path=(*path, *n.path)) for n in named)


def _param_ref(rule: dict[str, Any]) -> ParamRef | None:
    path = ("validate", "cel", "paramRef")
    return None if look_up(rule, path) is None else read_reference(rule, path)


def _actions(raw: dict[str, Any], rule: dict[str, Any]) -> tuple[str, ...]:
    """Enforce denies, Audit (the default) does not; the rule's own word comes first."""
    said = text(rule, ("validate", "failureAction")) or text(
        raw, ("spec", "validationFailureAction"), "Audit"
    )
    return ("Deny",) if said.lower() == "enforce" else ("Audit",)


def _filters(rule: dict[str, Any], namespace: str) -> Filters:
    match, all_match = _blocks(rule, "match")
    exclude, all_exclude = _blocks(rule, "exclude")
    return Filters(match, exclude, all_match, all_exclude, namespace)


def _blocks(rule: dict[str, Any], key: str) -> tuple[tuple[Filter, ...], bool]:
    """The blocks of match or exclude: `any`, `all`, or the block itself, as it used to be."""
    block = mapping(rule, (key,))
    for word in ("any", "all"):
        if block.get(word):
            return tuple(_filter(b) for _, b in items(block, (word,))), word == "all"
    return ((_filter(block),) if block else ()), False


def _filter(block: Mapping[str, Any]) -> Filter:
    resources = mapping(block, ("resources",))
    name = text(resources, ("name",))
    selector = look_up(resources, ("selector",))
    spaces = look_up(resources, ("namespaceSelector",))
    return Filter(
        texts(resources, ("kinds",)),
        texts(resources, ("names",)) or ((name,) if name else ()),
        texts(resources, ("namespaces",)),
        texts(resources, ("operations",)),
        strings(resources.get("annotations")),
        None if selector is None else mapping(resources, ("selector",)),
        None if spaces is None else mapping(resources, ("namespaceSelector",)),
        tuple(
            (text(s, ("kind",)), text(s, ("namespace",)), text(s, ("name",)))
            for _, s in items(block, ("subjects",))
        ),
        texts(block, ("roles",)),
        texts(block, ("clusterRoles",)),
    )
