"""What we may see of a cluster, asked of its own authorizer, before anything is read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.discovery import Served, discover, kubernetes_minor
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kinds import KINDS, Kind
from martello.adapters.cluster.kubeconfig import Access, access
from martello.adapters.cluster.read import first_of
from martello.adapters.cluster.reader import AT_ONCE

_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Sight(msgspec.Struct, frozen=True):
    """One kind: `state` is listable, refused, unserved, unknown or withheld (the reader role leaves
    Secrets out on purpose); `why` where it is not listable.

    `required` kinds are served by every API server, so that one missing leaves checks unassessed.
    """

    group_kind: str
    state: str
    required: bool
    why: str = ""


class Examination(msgspec.Struct, frozen=True):
    """What we may see of one cluster."""

    cluster: str
    server: str
    kubernetes: int | None
    identity: str  # which credentials were used, never their value
    sights: tuple[Sight, ...]

    @property
    def hidden(self) -> tuple[Sight, ...]:
        """The kinds that there may be objects of, and that we cannot list."""
        return tuple(s for s in self.sights if s.state in ("refused", "unknown"))


def examine(
    context: str | None = None,
    *,
    kubeconfig: str | None = None,
    namespaces: Sequence[str] = (),
) -> Examination:
    """Asks the cluster of a context for every kind of the table whether it may be listed.

    Raises Unreachable or NotPermitted where the cluster cannot be asked at all.
    """
    return asyncio.run(examination(access(context, kubeconfig=kubeconfig), namespaces))


async def examination(found: Access, namespaces: Sequence[str] = ()) -> Examination:
    """The same for an Access."""
    try:
        async with Client(found) as client:
            kubernetes = await kubernetes_minor(client)
            discovery = await discover(client, KINDS)
            turns = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as tasks:
                asked = [
                    tasks.create_task(_sight(client, turns, served, namespaces))
                    for served in discovery.served
                ]
    except BaseExceptionGroup as several:
        raise first_of(several) from None
    sights = [task.result() for task in asked]
    why = "this API server does not serve it: there are none"
    sights += [Sight(k.group_kind, "unserved", k.required, why) for k in discovery.absent]
    sights += [Sight(k.group_kind, "unknown", k.required, w) for k, w in discovery.broken.items()]
    return Examination(
        found.name, found.server, kubernetes, found.credentials.source, tuple(sights)
    )


async def _sight(
    client: Client, turns: asyncio.Semaphore, served: Served, namespaces: Sequence[str]
) -> Sight:
    kind = served.kind
    bounded = kind.namespaced or kind.group_kind == "Namespace"
    spaces = namespaces if bounded and namespaces else ("",)
    refused: list[str] = []
    async with turns:
        for space in spaces:
            try:
                if not await _may(client, kind, space):
                    refused.append(f"no rule allows to list {_words(kind, space)}")
            except Denied as denied:
                return Sight(kind.group_kind, "unknown", kind.required, denied.why)
    if refused and kind.metadata_only:
        why = "who may list them may read them, so the reader role leaves them out"
        return Sight(kind.group_kind, "withheld", kind.required, why)
    if refused:
        return Sight(kind.group_kind, "refused", kind.required, "; ".join(refused))
    return Sight(kind.group_kind, "listable", kind.required)


async def _may(client: Client, kind: Kind, namespace: str) -> bool:
    attributes = {"verb": "list", "group": kind.group, "resource": kind.resource}
    if namespace and kind.namespaced:
        attributes["namespace"] = namespace
    elif namespace:  # a Namespace, which is then fetched by its name
        attributes.update(verb="get", name=namespace)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    status = (await client.post(_REVIEW, review)).get("status")
    return isinstance(status, dict) and status.get("allowed") is True


def _words(kind: Kind, namespace: str) -> str:
    return f"{kind.group_resource} in namespace {namespace}" if namespace else kind.group_resource
