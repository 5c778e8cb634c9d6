"""The request that creating an object would make."""

from __future__ import annotations

from typing import Any

from martello.catalogue.policy.model import Request, User
from martello.catalogue.policy.world import World
from martello.core.kinds import plural
from martello.core.path import look_up
from martello.core.resource import Resource


def request_for(
    resource: Resource,
    world: World,
    *,
    operation: str = "CREATE",
    old: dict[str, Any] | None = None,
    user: User | None = None,
) -> Request:
    """The request for one object. A namespaced object that names no namespace lands in `default`,
    as with kubectl; a kind that nothing tells about counts as namespaced.
    """
    ref = resource.ref
    group = ref.api_version.rpartition("/")[0]
    namespace = ref.namespace
    if ref.kind == "Namespace" and not group:
        namespace = ref.name
    elif not namespace and world.namespaced(ref.api_version, ref.kind) is not False:
        namespace = "default"
    name = look_up(resource.raw, ("metadata", "name"))
    return Request(
        operation,
        group,
        ref.version,
        plural(ref.kind),
        ref.kind,
        name if isinstance(name, str) else "",
        namespace,
        None if operation == "DELETE" else resource.raw,
        resource.raw if operation == "DELETE" and old is None else old,
        user=user or User(),
    )
