"""Which requests an audit policy logs: audit.k8s.io Policy, the first rule that matches decides.

Source: kubernetes/kubernetes staging/src/k8s.io/apiserver/pkg/audit/policy/checker.go. A part of a
request that is not known (None) may match: then what is asked is what may go unlogged.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.errors import BadInput

LEVELS: Final = ("None", "Metadata", "Request", "RequestResponse")
_END: Final = "ResponseComplete"
Resources = tuple[str, tuple[str, ...], tuple[str, ...]]  # group, resources, names
EVERYTHING: Final = ("*", "*")


class PolicyRule(msgspec.Struct, frozen=True):
    """One rule of a policy; an empty list is any."""

    level: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    omits: frozenset[str] = frozenset()  # stages, those of the whole policy too


class AuditPolicy(msgspec.Struct, frozen=True):
    """The rules in order. A request that none matches is not logged."""

    rules: tuple[PolicyRule, ...] = ()


_UNMATCHED: Final = PolicyRule("None")


class Asking(msgspec.Struct, frozen=True):
    """Requests of one kind: None for what may be anything. `resource` bears its subresource behind
    a slash; `path` makes them non-resource requests.
    """

    verb: str
    user: str | None = None
    groups: tuple[str, ...] = ()
    groups_known: bool = False
    group: str | None = None
    resource: str | None = None
    name: str | None = None
    namespace: str | None = None
    path: str | None = None
    about_path: bool = False


def read_policy(raw: Any) -> AuditPolicy:
    """The policy of a parsed file. Raises BadInput where it is none."""
    if not isinstance(raw, dict) or raw.get("kind") != "Policy":
        raise BadInput("no audit policy", "the file holds no object of kind Policy")
    rules = raw.get("rules")
    if not isinstance(rules, list) or not rules:
        raise BadInput("no audit policy", "it has no rules, so nothing would be logged")
    omitted = frozenset(_texts(raw, "omitStages"))
    return AuditPolicy(tuple(_rule(one, number, omitted) for number, one in enumerate(rules)))


def deciding(policy: AuditPolicy, asking: Asking) -> PolicyRule | None:
    """The rule that says at which level a request is logged, and at which stages not; one of level
    None where no rule matches. None where it depends on what is not known of the request.
    """
    for rule in policy.rules:
        matched = _matches(rule, asking)
        if matched:
            return rule
        if matched is None:
            return None
    return _UNMATCHED


def unlogged(policy: AuditPolicy, asking: Asking) -> tuple[tuple[str, str], ...]:
    """What of these requests may not be logged, as (group, resource); EVERYTHING for all of it,
    nothing where each of them is logged at its end.
    """
    found: dict[tuple[str, str], None] = {}
    for rule in policy.rules:
        matched = _matches(rule, asking)
        if matched is False:
            continue
        silent = rule.level == "None" or _END in rule.omits
        if matched:
            return (EVERYTHING,) if silent else tuple(found)
        if silent:
            found.update(dict.fromkeys(_part(rule, asking)))
            if EVERYTHING in found:
                return (EVERYTHING,)
    return (EVERYTHING,)


def _part(rule: PolicyRule, asking: Asking) -> list[tuple[str, str]]:
    """What a rule that may match takes out: its resources, where any resource is asked about."""
    if asking.about_path or asking.resource is not None or not rule.resources:
        return [EVERYTHING]
    part: list[tuple[str, str]] = []
    for group, resources, _ in rule.resources:
        if any(one.endswith("/*") and one != "*/*" for one in resources):
            return [EVERYTHING]  # every subresource of one resource: no rule of a role says that
        if asking.group in (None, group):
            part += [(group, one) for one in resources or ("*",)]
    return part


def _matches(rule: PolicyRule, asking: Asking) -> bool | None:
    """None: perhaps."""
    whole: bool | None = True
    for one in (_who(rule, asking), _what(rule, asking)):
        if one is False:
            return False
        whole = one and whole
    return whole


def _who(rule: PolicyRule, asking: Asking) -> bool | None:
    if rule.verbs and asking.verb not in rule.verbs:
        return False
    whole: bool | None = True
    if rule.users:
        if asking.user is None:
            whole = None
        elif asking.user not in rule.users:
            return False
    if rule.groups and not set(rule.groups) & set(asking.groups):
        if asking.groups_known:
            return False
        whole = None
    return whole


def _what(rule: PolicyRule, asking: Asking) -> bool | None:
    if rule.namespaces or rule.resources:
        return False if asking.about_path else _resource(rule, asking)
    if rule.urls:
        return _url(rule, asking) if asking.about_path else False
    return True


def _url(rule: PolicyRule, asking: Asking) -> bool | None:
    if "*" in rule.urls:
        return True
    path = asking.path
    if path is None or path.endswith("*"):
        return None
    return any(
        path == url or (url.endswith("*") and path.startswith(url[:-1])) for url in rule.urls
    )


def _resource(rule: PolicyRule, asking: Asking) -> bool | None:
    whole: bool | None = True
    if rule.namespaces:
        if asking.namespace is None:
            whole = None
        elif asking.namespace not in rule.namespaces:
            return False
    if not rule.resources:
        return whole
    found: bool | None = False
    for one in rule.resources:
        here = _one(one, asking)
        if here:
            return whole
        found = None if here is None else found
    return found


def _one(one: Resources, asking: Asking) -> bool | None:
    group, resources, names = one
    if asking.group is not None and asking.group != group:
        return False
    whole: bool | None = None if asking.group is None else True
    if not resources:
        return whole
    if names:
        if asking.name is None:
            whole = None
        elif asking.name not in names:
            return False
    if asking.resource is None:
        return whole if "*" in resources else None
    return whole if any(_covers(each, asking.resource) for each in resources) else False


def _covers(written: str, resource: str) -> bool:
    """`pods/*` is the pods too, whatever the documentation says of it: so the server has it."""
    parent, _, sub = resource.partition("/")
    return written in ("*", resource, f"{parent}/*") or bool(sub and written == f"*/{sub}")


def _rule(raw: Any, number: int, omitted: frozenset[str]) -> PolicyRule:
    where = f"rules[{number}] of the audit policy"
    if not isinstance(raw, dict) or raw.get("level") not in LEVELS:
        raise BadInput(f"cannot read {where}", f"its level is none of {', '.join(LEVELS)}")
    resources: list[Resources] = []
    written = raw.get("resources")
    for one in written if isinstance(written, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("group", ""), str):
            raise BadInput(f"cannot read {where}", "its resources are no groups with resources")
        resources.append(
            (one.get("group", ""), _texts(one, "resources"), _texts(one, "resourceNames"))
        )
    return PolicyRule(
        raw["level"],
        _texts(raw, "users"),
        _texts(raw, "userGroups"),
        _texts(raw, "verbs"),
        tuple(resources),
        _texts(raw, "namespaces"),
        _texts(raw, "nonResourceURLs"),
        omitted.union(_texts(raw, "omitStages")),
    )


def _texts(raw: dict[str, Any], key: str) -> tuple[str, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadInput("cannot read the audit policy", f"{key} is no list of texts")
    return tuple(value)
