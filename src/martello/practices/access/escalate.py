"""Who may write roles and bindings: nobody grants what he does not hold, but for `escalate` and
`bind`.

Source: pkg/registry/rbac/*/policybased/storage.go and pkg/registry/rbac/validation in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from martello.core.resource import Resource
from martello.practices.access.answers import Access
from martello.practices.access.cover import Single, covers
from martello.practices.access.gaps import gaps
from martello.practices.access.model import MASTERS, Answer, Principal, Request
from martello.practices.access.principals import keys
from martello.practices.access.rules import RBAC, Rule, read_role

_PLURALS: Final = {
    "ClusterRole": "clusterroles",
    "Role": "roles",
    "ClusterRoleBinding": "clusterrolebindings",
    "RoleBinding": "rolebindings",
}
_FREE: Final = ("ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation")
_TOLD: Final = 3


def may_write_role(
    access: Access, who: Principal, role: Resource, before: Resource | None = None
) -> Answer:
    """Whether somebody may create a role as it is written, or turn `before` into it: he may write
    roles, and holds all of its rules where it grants them, or `escalate` on it. For ClusterRoles
    only what he holds everywhere counts; an aggregationRule needs everything or `escalate`.
    """
    written = _written(access, who, role, before)
    if written.verdict == "denied" or MASTERS in who.groups:
        return written
    if before is not None and only_gc(before.raw, role.raw):
        return written
    resource = _PLURALS[role.ref.kind]
    space = "" if role.ref.kind == "ClusterRole" else role.ref.namespace
    # On create the authorizer is not told the name, so that a named `escalate` does not help.
    name = role.ref.name if before is not None else ""
    escalate = access.can(who, Request("escalate", RBAC, resource, "", name, space))
    if escalate.verdict == "allowed":
        return _both(written, escalate)
    wanted = [*read_role(role).rules]
    if any(_aggregates(each) for each in (role, before) if each is not None):
        wanted.extend(_everything(role))
    return _covered(access, who, wanted, space, written, escalate)


def may_bind(
    access: Access, who: Principal, binding: Resource, before: Resource | None = None
) -> Answer:
    """Whether somebody may create a binding as it is written, or turn `before` into it: he may
    write bindings, and holds all rules of the role where it grants them, or `bind` on it. A role
    that is not there needs `bind`.
    """
    written = _written(access, who, binding, before)
    if written.verdict == "denied" or MASTERS in who.groups:
        return written
    if before is not None and only_gc(before.raw, binding.raw):
        return written
    reference = binding.raw.get("roleRef")
    kind = reference.get("kind") if isinstance(reference, Mapping) else None
    name = reference.get("name") if isinstance(reference, Mapping) else None
    if kind not in ("ClusterRole", "Role") or not isinstance(name, str):
        return Answer("denied", because=("roleRef names no role",))
    space = "" if binding.ref.kind == "ClusterRoleBinding" else binding.ref.namespace
    bind = access.can(who, Request("bind", RBAC, _PLURALS[kind], "", name, space))
    if bind.verdict == "allowed":
        return _both(written, bind)
    role = access.grants.roles.get((kind, space if kind == "Role" else "", name))
    if role is None:
        unlisted = access.cluster.unlisted.get(f"{kind}.{RBAC}", "")
        doubt = unlisted or not access.cluster.complete or bind.verdict == "unknown"
        reason = f"there is no {kind} {name} here, and bind on it is not held"
        return Answer("unknown" if doubt else "denied", because=(reason,))
    return _covered(access, who, list(role.rules), space, written, bind)


def only_gc(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether nothing but owner references and finalizers changes: that is free."""
    return _without(before) == _without(after)


def _without(raw: Mapping[str, Any]) -> dict[str, Any]:
    metadata = raw.get("metadata")
    kept = {k: v for k, v in metadata.items() if k not in _FREE} if metadata else {}
    return {**raw, "metadata": kept}


def _written(access: Access, who: Principal, wish: Resource, before: Resource | None) -> Answer:
    """Whether somebody may write such objects at all; a patch is checked as an update is."""
    space = "" if wish.ref.kind.startswith("Cluster") else wish.ref.namespace
    plural = _PLURALS[wish.ref.kind]
    if before is None:
        return access.can(who, Request("create", RBAC, plural, namespace=space))
    answers = [
        access.can(who, Request(verb, RBAC, plural, "", wish.ref.name, space))
        for verb in ("update", "patch")
    ]
    return min(answers, key=lambda a: ("allowed", "unknown", "denied").index(a.verdict))


def _both(first: Answer, second: Answer) -> Answer:
    """Both must be allowed."""
    grants, because = (*first.grants, *second.grants), (*first.because, *second.because)
    verdict = "unknown" if "unknown" in (first.verdict, second.verdict) else "allowed"
    return Answer(verdict, grants, because)


def _covered(
    access: Access, who: Principal, wanted: list[Rule], space: str, written: Answer, verb: Answer
) -> Answer:
    held, missing = covers(access.rules(who, space), wanted)
    if held:
        return _both(written, Answer("allowed", because=("every rule of it is held",)))
    probe = Request("", "", "", namespace=space)
    reasons = gaps(access.cluster, access.index, who, keys(who), probe)
    if verb.verdict == "unknown":
        reasons = (*reasons, *verb.because)
    lacking = tuple(f"not held: {show(single)}" for single in missing[:_TOLD])
    more = (f"and {len(missing) - _TOLD} more",) if len(missing) > _TOLD else ()
    verdict = "unknown" if reasons else "denied"
    return Answer(verdict, because=(*lacking, *more, *dict.fromkeys(reasons)))


def show(single: Single) -> str:
    """One right in words: `get secrets/db`, `create deployments.apps`, `get /healthz`."""
    verb, group, resource, name, url = single
    if url:
        return f"{verb} {url}"
    whole = f"{resource}.{group}" if group else resource
    return f"{verb} {whole} named {name}" if name is not None else f"{verb} {whole}"


def _aggregates(role: Resource) -> bool:
    """Whether it gathers anything: a rule without selectors is none to the API server."""
    written = role.raw.get("aggregationRule")
    return bool(written.get("clusterRoleSelectors") if isinstance(written, Mapping) else written)


def _everything(role: Resource) -> tuple[Rule, Rule]:
    star = ("*",)
    return Rule(star, star, star, (), (), role, 0), Rule(star, (), (), (), star, role, 1)
