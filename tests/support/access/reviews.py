"""Roles and bindings put into a real API server, and access reviews asked of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tests.support.access.random_world import GROUP, SPACES, Object
from tests.support.apiserver import ApiServer

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of

LABEL: Final = "access-world"
_API: Final = f"/apis/{GROUP}/v1"
_KINDS: Final = {
    "ClusterRole": "clusterroles",
    "Role": "roles",
    "ClusterRoleBinding": "clusterrolebindings",
    "RoleBinding": "rolebindings",
}
_SECONDS: Final = 10.0


def settle(server: ApiServer, objects: Iterable[Object], mark: str) -> None:
    """Replaces the world of before by these objects, and waits until the authorizer has seen all:
    it watches each kind apart, so the last object of each kind is a sign.
    """
    clear(server)
    for one in [*objects, *_signs(mark)]:
        body = {**one, "metadata": {**one["metadata"], "labels": {LABEL: "yes"}}}
        server.request("POST", path_of(one), body)
    deadline = time.monotonic() + _SECONDS
    for verb in ("wide", "narrow"):
        asked = {"verb": verb, "resource": "signs", "namespace": SPACES[0]}
        while not review(server, mark, (), asked):
            assert time.monotonic() < deadline, "the authorizer does not see the objects"
            time.sleep(0.01)


def path_of(one: Object) -> str:
    """The path of the collection in which a role or binding lies."""
    space = one["metadata"].get("namespace")
    where = f"/namespaces/{space}" if space else ""
    return f"{_API}{where}/{_KINDS[one['kind']]}"


def clear(server: ApiServer) -> None:
    """Removes the objects of the world before; makes the namespaces where they are not here."""
    for space in SPACES:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}
        server.request("POST", "/api/v1/namespaces", body, check=False)
    places = [f"{_API}/{_KINDS[kind]}" for kind in ("ClusterRoleBinding", "ClusterRole")]
    for space in SPACES:
        places += [f"{_API}/namespaces/{space}/{_KINDS[k]}" for k in ("RoleBinding", "Role")]
    for place in places:
        server.request("DELETE", f"{place}?labelSelector={LABEL}")


def review(server: ApiServer, user: str, groups: Sequence[str], request: Mapping[str, str]) -> bool:
    """Whether the API server says that a request is allowed."""
    spec: dict[str, Any] = {"user": user, "groups": list(groups)}
    if "path" in request:
        spec["nonResourceAttributes"] = {"verb": request["verb"], "path": request["path"]}
    else:
        spec["resourceAttributes"] = dict(request)
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(server.request("POST", path, {**kind, "spec": spec})["status"]["allowed"])


def stored(server: ApiServer) -> Cluster:
    """Every role and binding that the API server has, its own among them."""
    found = []
    for kind, plural in _KINDS.items():
        for one in server.request("GET", f"{_API}/{plural}")["items"]:
            raw = {"apiVersion": f"{GROUP}/v1", "kind": kind, **one}
            found.append(resource_of(raw, Nowhere(), "server"))
    return Cluster(found)


def _signs(mark: str) -> list[Object]:
    made: list[Object] = []
    for verb, prefix, space in (("wide", "Cluster", None), ("narrow", "", SPACES[0])):
        metadata = {"name": mark, **({"namespace": space} if space else {})}
        rule = {"verbs": [verb], "apiGroups": [""], "resources": ["signs"]}
        reference = {"apiGroup": GROUP, "kind": f"{prefix}Role", "name": mark}
        subject = {"apiGroup": GROUP, "kind": "User", "name": mark}
        for kind, rest in (
            ("Role", {"rules": [rule]}),
            ("RoleBinding", {"roleRef": reference, "subjects": [subject]}),
        ):
            head = {"apiVersion": f"{GROUP}/v1", "kind": f"{prefix}{kind}"}
            made.append({**head, "metadata": metadata, **rest})
    return made
