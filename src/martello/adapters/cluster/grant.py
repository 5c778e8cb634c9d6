"""The least RBAC that a reader of the cluster needs, made from the table of what is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from martello.adapters.cluster.kinds import KINDS, WHOLE_GROUPS, Kind
from martello.core.errors import BadInput

NAME: Final = "martello-reader"
_KINDS_OF_SUBJECT: Final = {"user": "User", "group": "Group"}


def grant(
    subject: str = "",
    *,
    namespaces: Sequence[str] = (),
    more: Iterable[Kind] = (),
    name: str = NAME,
) -> str:
    """YAML that lets a subject list what `read_cluster` reads, and nothing else: no Secrets.

    `subject` is `user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE/NAME` (the default:
    `martello` in namespace `martello`, which is then made too). With `namespaces` the namespaced
    kinds may be listed there only. `more` are kinds beyond the table. Raises BadInput for a subject
    that is none.
    """
    kinds = [kind for kind in (*KINDS, *more) if not kind.metadata_only]
    bound, account = _subject(subject or "serviceaccount:martello/martello")
    documents = [_account(*account)] if account and not subject else []
    everywhere = kinds if not namespaces else [k for k in kinds if not k.namespaced]
    rules = _rules(everywhere, whole=True)
    documents.append(_role("ClusterRole", name, "", rules))
    documents.append(_binding("ClusterRoleBinding", name, "", "ClusterRole", bound))
    for namespace in dict.fromkeys(namespaces):
        rules = _rules([k for k in kinds if k.namespaced], whole=False)
        documents.append(_role("Role", name, namespace, rules))
        documents.append(_binding("RoleBinding", name, namespace, "Role", bound))
    return "---\n".join(documents)


def _rules(kinds: Iterable[Kind], *, whole: bool) -> str:
    groups: dict[str, set[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, set()).add(kind.resource)
    if whole:
        for group in WHOLE_GROUPS:
            groups[group] = {"*"}
    lines: list[str] = []
    for group, resources in sorted(groups.items()):
        lines.append(f"  - apiGroups: [{_quoted(group)}]")
        lines.append("    resources:")
        lines += [f"      - {_quoted(resource)}" for resource in sorted(resources)]
        lines.append("    verbs: [list]")
    if "namespaces" in groups.get("", ()):  # with -n they are fetched one by one
        lines.append('  - apiGroups: [""]\n    resources: [namespaces]\n    verbs: [get]')
    return "\n".join(lines) + "\n"


def _role(kind: str, name: str, namespace: str, rules: str) -> str:
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n"
        f"{_metadata(name, namespace)}rules:\n{rules}"
    )


def _binding(kind: str, name: str, namespace: str, role: str, subject: str) -> str:
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n{_metadata(name, namespace)}"
        f"roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role}\n"
        f"  name: {_quoted(name)}\n"
        f"subjects:\n{subject}"
    )


def _metadata(name: str, namespace: str) -> str:
    inside = f"  namespace: {_quoted(namespace)}\n" if namespace else ""
    return f"metadata:\n  name: {_quoted(name)}\n{inside}"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _account(namespace: str, name: str) -> str:
    return (
        f"apiVersion: v1\nkind: Namespace\n{_metadata(namespace, '')}---\n"
        f"apiVersion: v1\nkind: ServiceAccount\n{_metadata(name, namespace)}"
        "automountServiceAccountToken: false\n"
    )


def _subject(text: str) -> tuple[str, tuple[str, str] | None]:
    """The YAML of the subject, and namespace and name where it is a service account."""
    kind, _, name = text.partition(":")
    if kind in _KINDS_OF_SUBJECT and name:
        yaml = f"  - apiGroup: rbac.authorization.k8s.io\n    kind: {_KINDS_OF_SUBJECT[kind]}\n"
        return f"{yaml}    name: {_quoted(name)}\n", None
    namespace, _, account = name.partition("/")
    if kind == "serviceaccount" and namespace and account:
        yaml = f"  - kind: ServiceAccount\n    name: {_quoted(account)}\n"
        return f"{yaml}    namespace: {_quoted(namespace)}\n", (namespace, account)
    raise BadInput(
        f"no subject: {text}",
        "a subject is user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME",
    )
