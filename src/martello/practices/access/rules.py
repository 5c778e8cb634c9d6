"""Roles read once: their rules, and whether a rule allows a request, as the RBAC authorizer does.

`*` is the only wildcard of verbs and groups; `*` as a resource takes every subresource along,
`*/sub` is that subresource of any resource; names are literal; an empty list is none, but for
resourceNames, where it is any. Source: kubernetes/kubernetes pkg/apis/rbac/v1/evaluation_helpers.go
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.core.resource import Resource
from martello.practices.access.model import Request

RBAC: Final = "rbac.authorization.k8s.io"
ROLE: Final = f"Role.{RBAC}"
CLUSTER_ROLE: Final = f"ClusterRole.{RBAC}"
ROLES: Final = (CLUSTER_ROLE, ROLE)
_FIELDS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
Lists = tuple[tuple[str, ...], ...]  # the five lists of a rule, in the order of _FIELDS


class Rule(msgspec.Struct, frozen=True):
    """One rule, with the role and the position it was written at."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    urls: tuple[str, ...]
    role: Resource
    index: int

    @property
    def lists(self) -> Lists:
        """What the rule says, wherever it is written."""
        return (self.verbs, self.groups, self.resources, self.names, self.urls)

    def permits(
        self, verb: str, group: str, resource: str, subresource: str = "", name: str = ""
    ) -> bool:
        """Whether this rule allows a request for a resource."""
        return (
            ("*" in self.verbs or verb in self.verbs)
            and ("*" in self.groups or group in self.groups)
            and self.covers(resource, subresource)
            and (not self.names or name in self.names)
        )

    def covers(self, resource: str, subresource: str = "") -> bool:
        """Whether the resource is one of the rule's, whatever the verb."""
        if "*" in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def allows(self, request: Request) -> bool:
        """Whether this rule allows a request, for a resource or for a path."""
        if request.path:
            return ("*" in self.verbs or request.verb in self.verbs) and any(
                url_covers(url, request.path) for url in self.urls
            )
        return self.permits(
            request.verb, request.group, request.resource, request.subresource, request.name
        )


class Role(msgspec.Struct, frozen=True):
    """A Role or ClusterRole with its effective rules. `broken` is why not all could be read;
    `refused` is why the API server would not store the object as it is written.
    """

    resource: Resource
    rules: tuple[Rule, ...]
    broken: str = ""
    refused: str = ""


def url_covers(owner: str, path: str) -> bool:
    """Whether a URL of a rule covers a path (or a narrower URL): it is the same, or what is left of
    it without its last stars is how the path begins. Stars inside are literal.
    """
    return owner == path or (owner.endswith("*") and path.startswith(owner.rstrip("*")))


def read_role(resource: Resource) -> Role:
    """A role with the rules that are written in it."""
    written = resource.raw.get("rules")
    if written is None:
        return Role(resource, ())
    if not isinstance(written, list):
        return Role(resource, (), "rules is no list", "rules is no list")
    rules: list[Rule] = []
    broken = refused = ""
    for index, raw in enumerate(written):
        parts = _parts(raw)
        if parts is None:
            broken = broken or f"rules[{index}] is no rule that the API server would store"
            continue
        verbs, groups, resources, names, urls = parts
        rule = Rule(verbs, groups, resources, names, urls, resource, index)
        rules.append(rule)
        fault = "" if refused else fault_of(rule, resource.ref.kind == "ClusterRole")
        if fault:
            refused = f"rules[{index}] {fault}"
    return Role(resource, tuple(rules), broken, broken or refused)


def fault_of(rule: Rule, cluster_wide: bool) -> str:
    """Why the API server answers 422 to a role with this rule; empty where it stores it.

    Source: ValidatePolicyRule in pkg/apis/rbac/validation/validation.go.
    """
    if not rule.verbs:
        return "has no verbs"
    if rule.urls:
        if not cluster_wide:
            return "has nonResourceURLs, which a Role of a namespace cannot have"
        if rule.groups or rule.resources or rule.names:
            return "mixes resources and nonResourceURLs"
        return ""
    if not rule.groups:
        return "has no apiGroups"
    return "" if rule.resources else "has no resources"


def _parts(raw: Any) -> list[tuple[str, ...]] | None:
    if not isinstance(raw, dict):
        return None
    parts: list[tuple[str, ...]] = []
    for field in _FIELDS:
        values = raw.get(field)
        if values is None:
            values = []
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            return None
        parts.append(tuple(values))
    return parts


def stored(resource: Resource) -> bool:
    """Whether the object was read from an API server, which has taken it as it is."""
    return bool(resource.ref.cluster or resource.metadata.get("uid"))


def stands(role: Role) -> bool:
    """Whether the role grants anything: files may hold one that no API server would store."""
    return not role.refused or stored(role.resource)
