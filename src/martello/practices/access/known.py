"""Which resources there are, where they lie, and what the API server would ask of a request.

The authorizer compares literally what the request's URL says (RequestInfoFactory in
k8s.io/apiserver/pkg/endpoints/request): a create carries no name, a cluster-scoped resource no
namespace, a list the name of a field selector.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

import msgspec

from martello.core.cluster import Cluster
from martello.core.kinds import plural, table
from martello.practices.access.model import Request

_DEFINITION: Final = "CustomResourceDefinition.apiextensions.k8s.io"
# What HTTP methods of a named object are to the authorizer.
_METHODS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
# What is asked of the authorizer without being a kind: (group, resource), all outside namespaces
# but for accounts, which are a kind too.
_ASKED_ONLY: Final = (
    ("", "users"),
    ("", "groups"),
    ("authentication.k8s.io", "uids"),
    ("authentication.k8s.io", "userextras"),
    ("certificates.k8s.io", "signers"),
)


def namespaced(cluster: Cluster, group: str, resource: str) -> bool | None:
    """Whether a resource lies in namespaces; None where nobody here knows it."""
    found = _built_in().get((group, resource))
    return custom(cluster).get((group, resource)) if found is None else found


def as_sent(request: Request, cluster: Cluster) -> Request:
    """The request that the API server would put to the authorizer for what a person asks."""
    if request.path:
        return Request(request.verb.lower(), path=request.path)
    verb = _METHODS.get(request.verb, request.verb)
    if verb != request.verb:
        return as_sent(msgspec.structs.replace(request, verb=verb), cluster)
    name, space = request.name, request.namespace
    if not request.subresource and request.verb in ("create", "deletecollection"):
        name = ""
    if request.verb in ("list", "watch") and not valid_segment(name):
        name = ""
    if (request.group, request.resource) == ("", "namespaces"):
        space = "" if request.verb in ("list", "watch") else name
    elif namespaced(cluster, request.group, request.resource) is False:
        space = ""
    return msgspec.structs.replace(request, name=name, namespace=space)


def selected_name(field_selector: str) -> str:
    """The name that a list or watch with this field selector asks for; empty where it asks for more
    than one, or for one that could stand in no path.
    """
    found = ""
    for term in field_selector.split(","):
        field, operator, value = term.partition("=")
        if field == "metadata.name" and operator:  # spaces are a part of what is selected
            found = found or value.removeprefix("=")
    return found if valid_segment(found) else ""


def valid_segment(name: str) -> bool:
    """Whether a name may be one part of a path."""
    return name not in ("", ".", "..") and "/" not in name and "%" not in name


@cache
def _built_in() -> dict[tuple[str, str], bool]:
    found = dict.fromkeys(_ASKED_ONLY, False)
    for key, facts in table().kinds.items():
        api, _, kind = key.rpartition("/")
        found[(api.rpartition("/")[0], plural(kind))] = facts.namespaced
    return found


@lru_cache(maxsize=2)
def custom(cluster: Cluster) -> dict[tuple[str, str], bool]:
    """Group and plural of every custom resource that is defined here: whether in namespaces."""
    found: dict[tuple[str, str], bool] = {}
    for resource in cluster.of_kind(_DEFINITION):
        names = resource.spec.get("names")
        word = names.get("plural") if isinstance(names, dict) else None
        group, scope = resource.spec.get("group"), resource.spec.get("scope")
        if isinstance(word, str) and isinstance(group, str):
            found[(group, word)] = scope != "Cluster"
    return found


def resources() -> tuple[tuple[str, str, bool], ...]:
    """Every built-in resource: group, resource, and whether it lies in namespaces."""
    return tuple((group, name, inside) for (group, name), inside in sorted(_built_in().items()))
