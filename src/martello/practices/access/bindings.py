"""Bindings read once: their subjects, and the role they are joined with.

A RoleBinding grants in its namespace only; a ClusterRoleBinding to a Role grants nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from martello.core.resource import Resource
from martello.practices.access.aggregate import RoleKey
from martello.practices.access.model import ACCOUNT
from martello.practices.access.rules import RBAC, Role, Rule

ROLE_BINDING: Final = f"RoleBinding.{RBAC}"
CLUSTER_ROLE_BINDING: Final = f"ClusterRoleBinding.{RBAC}"
# What the name of an account may be: an RFC 1123 subdomain.
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME: Final = 253
BINDINGS: Final = (CLUSTER_ROLE_BINDING, ROLE_BINDING)


class Subject(msgspec.Struct, frozen=True):
    """Somebody who is bound: `namespace` is that of a ServiceAccount and empty for all others."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        if self.kind == "ServiceAccount" and self.namespace:
            return f"ServiceAccount {self.namespace}/{self.name}"
        return f"{self.kind} {self.name}"


class Binding(msgspec.Struct, frozen=True):
    """A RoleBinding or ClusterRoleBinding, joined with its role where that is here. `places` are
    the positions at which its subjects are written; `refused` is why the API server would not
    store it.
    """

    resource: Resource
    subjects: tuple[Subject, ...]
    role_kind: str
    role_name: str
    role: Role | None
    broken: str = ""
    places: tuple[int, ...] = ()
    refused: str = ""

    @property
    def cluster_wide(self) -> bool:
        """Whether it grants in every namespace and outside of all."""
        return self.resource.ref.kind == "ClusterRoleBinding"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules it grants."""
        return self.role.rules if self.role else ()


def read_binding(resource: Resource, roles: dict[RoleKey, Role]) -> Binding:
    """A binding with its subjects and, where it is here, its role."""
    reference = resource.raw.get("roleRef")
    kind = reference.get("kind") if isinstance(reference, dict) else None
    name = reference.get("name") if isinstance(reference, dict) else None
    subjects, places, broken, refused = _subjects(resource)
    if not isinstance(kind, str) or not isinstance(name, str):
        fault = "roleRef names no kind and name"
        return Binding(resource, subjects, "", "", None, fault, places, fault)
    wide = resource.ref.kind == "ClusterRoleBinding"
    role: Role | None = None
    if kind == "ClusterRole":
        role = roles.get(("ClusterRole", "", name))
    elif kind == "Role" and not wide:
        role = roles.get(("Role", resource.ref.namespace, name))
    refused = refused or reference_fault(reference, wide)
    return Binding(resource, subjects, kind, name, role, broken, places, broken or refused)


def _subjects(resource: Resource) -> tuple[tuple[Subject, ...], tuple[int, ...], str, str]:
    written = resource.raw.get("subjects")
    if written is None:
        return (), (), "", ""
    if not isinstance(written, list):
        return (), (), "subjects is no list", ""
    wide = resource.ref.kind == "ClusterRoleBinding"
    home = "" if wide else resource.ref.namespace
    subjects: list[Subject] = []
    places: list[int] = []
    broken = refused = ""
    for index, raw in enumerate(written):
        kind = raw.get("kind") if isinstance(raw, dict) else None
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(kind, str) or not isinstance(name, str):
            broken = broken or f"subjects[{index}] {subject_fault(raw, wide)}"
            continue
        fault = "" if refused else subject_fault(raw, wide)
        if fault:
            refused = f"subjects[{index}] {fault}"
        subjects.append(_subject(kind, name, raw.get("namespace"), home))
        places.append(index)
    return tuple(subjects), tuple(places), broken, refused


def reference_fault(raw: Any, wide: bool) -> str:
    """Why the API server answers 422 to a binding with this roleRef, cluster-wide or not; empty
    where it stores it. An empty apiGroup is filled in.

    Source: ValidateRoleBinding and ValidateClusterRoleBinding in pkg/apis/rbac/validation.
    """
    kind, name, group = (
        (raw.get(field) if isinstance(raw, dict) else None)
        for field in ("kind", "name", "apiGroup")
    )
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        return "roleRef names no kind and name"
    if group not in (None, "", RBAC):
        return f"roleRef is of group {group}"
    if kind not in ("ClusterRole", "Role") or (wide and kind == "Role"):
        return f"roleRef to a {kind or 'nothing'}"
    return ""


def subject_fault(raw: Any, wide: bool) -> str:
    """Why the API server answers 422 to a binding, cluster-wide or not, with this subject; empty
    where it stores it. Source: ValidateRoleBindingSubject.
    """
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if not isinstance(kind, str) or not isinstance(raw.get("name"), str):
        return "names no kind and name"
    group = raw.get("apiGroup") or ""
    if not raw.get("name"):
        return "has no name"
    for field in ("apiGroup", "namespace"):
        if not isinstance(raw.get(field) or "", str):
            return f"has a {field} that is no text"
    if kind == "ServiceAccount":
        if group:
            return f"is a ServiceAccount of group {group}"
        if len(raw["name"]) > _LONGEST_NAME or not _SUBDOMAIN.fullmatch(raw["name"]):
            return "is a ServiceAccount of a name that no account can have"
        return (
            "is a ServiceAccount without a namespace" if wide and not raw.get("namespace") else ""
        )
    if kind in ("User", "Group"):
        return f"is of group {group}" if group not in ("", RBAC) else ""
    return f"is a {kind}, which is no kind of subject"


def _subject(kind: str, name: str, namespace: Any, home: str) -> Subject:
    """A User spelled like a service account is that account."""
    if kind == "User" and name.startswith(ACCOUNT) and name.count(":") == 3:
        space, _, account = name.removeprefix(ACCOUNT).partition(":")
        if space and account:
            return Subject("ServiceAccount", account, space)
    if kind == "ServiceAccount":
        return Subject(kind, name, namespace if isinstance(namespace, str) and namespace else home)
    return Subject(kind, name)
