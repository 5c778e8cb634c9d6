"""ACC-038: a rule names a resource that there is not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.access.defaults import is_default
from martello.practices.access.known import resources
from martello.practices.access.powers import own_role
from martello.practices.access.rules import ROLES, Rule, read_role

_DEAD: Final = "extensions"
_DEAD_SINCE: Final = 22  # the minor version
_MOST: Final = 50  # of one role that are told


@check(
    "ACC-038",
    severity="low",
    profile="strict",
    kinds=ROLES,
    fix="Write the resource in its plural and in small letters, in the group that has it today.",
    frameworks={"nsa-cisa": ["authentication-authorization"], "owasp-k8s": ["K03"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [""], resources: [pods, pods/exec, "*/scale"]}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [example.com], resources: [Widgets]}]}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [extensions, apps], resources: [deployments]}]}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [""], resources: [pods, "pods/*"]}]}
            """,
            at="rules[0].resources[1]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [""], resources: [Pods]}]}
            """,
            at="rules[0].resources[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [""], resources: [deployments]}]}
            """,
            at="rules[0].resources[0]",
        ),
        Example(
            False,
            """
            {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r},
              rules: [{verbs: [get], apiGroups: [extensions], resources: [deployments]}]}
            """,
            at="rules[0].resources[0]",
        ),
    ),
)
def rule_without_effect(resource: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Rule names a resource that there is not.

    The API server stores any word and compares it literally: `Pods`, `pod` and `pods/*` match no
    request, and so does a kind in a group that never had it or has it no more. Who needs the
    right does not have it, and who reads the role believes that he has. Groups that are not
    Kubernetes' own are not judged.
    """
    if own_role(resource.ref.name) or is_default(resource):
        return
    found = (
        Hit(resource, ("rules", rule.index, "resources", at), why)
        for rule in read_role(resource).rules
        for at, word in enumerate(rule.resources)
        if (why := _inert(rule, word, cluster.kubernetes))
    )
    yield from islice(found, _MOST)


def _inert(rule: Rule, word: str, minor: int) -> str:
    """Why a word among the resources of a rule matches no request; empty where it may."""
    if word.endswith("/*"):
        return f"{word} is no wildcard: it is a subresource that is called *"
    parent = word.partition("/")[0]
    if parent == "*":
        return ""
    known = _by_group()
    if not rule.groups or not all(group in known for group in rule.groups):
        return ""
    groups = [g for g in rule.groups if g != _DEAD or minor < _DEAD_SINCE]
    if any(parent in known[group] for group in groups):
        return ""
    if not groups:
        return f"the group {_DEAD} is served no more since Kubernetes 1.{_DEAD_SINCE}"
    named = ", ".join(group or "core" for group in groups[:3])
    return f"there is no resource {parent} in {named}"


@cache
def _by_group() -> dict[str, frozenset[str]]:
    """Kubernetes' own resources by their group."""
    found: dict[str, set[str]] = {}
    for group, name, _ in resources():
        found.setdefault(group, set()).add(name)
    return {group: frozenset(names) for group, names in found.items()}
