"""Short spellings of roles, bindings and the clusters they make."""

from __future__ import annotations

from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.access import Access

Object = dict[str, Any]
GROUP: Final = "rbac.authorization.k8s.io"


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Object:
    """A rule, its lists written with spaces: `rule("get list", "pods secrets")`."""
    made: Object = {
        "verbs": verbs.split(),
        "apiGroups": [group],
        "resources": resources.split(),
    }
    return {**made, "resourceNames": names.split()} if names else made


def urls(verbs: str, paths: str) -> Object:
    """A rule about paths."""
    return {"verbs": verbs.split(), "nonResourceURLs": paths.split()}


def role(name: str, *rules: Object, ns: str = "", **rest: Any) -> Object:
    """A ClusterRole, or a Role of a namespace."""
    return thing("Role" if ns else "ClusterRole", name, ns, rules=list(rules), **rest)


def bind(name: str, to: str, *subjects: str, ns: str = "", wide: bool | None = None) -> Object:
    """A RoleBinding where there is a namespace, or a ClusterRoleBinding. `to` is a ClusterRole, or
    `Role/NAME`; subjects are `user:NAME`, `group:NAME`, `NS/NAME` or `/NAME`, an account whose
    namespace is not written.
    """
    kind, slash, target = to.rpartition("/")
    reference = {"apiGroup": GROUP, "kind": kind if slash else "ClusterRole", "name": target}
    bound: Object = {"roleRef": reference, "subjects": [_subject(text) for text in subjects]}
    wide = not ns if wide is None else wide
    return thing("ClusterRoleBinding" if wide else "RoleBinding", name, ns, **bound)


def _subject(text: str) -> Object:
    for word, kind in (("user:", "User"), ("group:", "Group")):
        if text.startswith(word):
            return {"kind": kind, "apiGroup": GROUP, "name": text.removeprefix(word)}
    space, _, name = text.partition("/")
    account = {"kind": "ServiceAccount", "name": name}
    return {**account, "namespace": space} if space else account


def thing(kind: str, name: str, ns: str = "", api: str = f"{GROUP}/v1", **rest: Any) -> Object:
    """Any object; `labels` go into its metadata."""
    metadata: Object = {"name": name, "labels": rest.pop("labels", {})}
    if ns:
        metadata["namespace"] = ns
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def resources(*objects: Object, live: bool = False) -> list[Resource]:
    """Objects as files have them, or as an API server does."""
    return [resource_of(each, Nowhere(), "prod" if live else "") for each in objects]


def ask(*objects: Object, live: bool = False, **rest: Any) -> Access:
    """The answers of a cluster of these objects."""
    return Access(Cluster(resources(*objects, live=live), **rest))
