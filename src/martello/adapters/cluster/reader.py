"""One reading of one cluster: lists side by side, and an account of what could not be listed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.cluster.client import JSON, METADATA, Client
from martello.adapters.cluster.discovery import Served, discover, kubernetes_minor
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kinds import Kind
from martello.adapters.cluster.prune import pod_template_kind, prune, refuse_depth
from martello.adapters.cluster.share import Shared
from martello.adapters.deep import refuse_deep
from martello.core.errors import BadInput, Unreachable
from martello.core.finding import Unassessed
from martello.core.path import Path
from martello.core.reading import Reading
from martello.core.resource import Comment, Duplicate, Location, Resource, resource_of

AT_ONCE: Final = 6  # lists under way at a time: kind to the API server
Progress = Callable[[str, int], None]


class Live(msgspec.Struct, frozen=True):
    """The origin of live objects: there is no text, only a cluster."""

    where: str

    def locate(self, path: Path) -> Location:
        """The cluster."""
        return Location(self.where)

    def comments(self) -> tuple[Comment, ...]:
        """None: the API server keeps no comments."""
        return ()

    def duplicates(self) -> tuple[Duplicate, ...]:
        """None: the API server keeps one of them."""
        return ()


class Reader:
    """One reading under way: the lists that were made, and what could not be."""

    def __init__(
        self,
        client: Client,
        name: str,
        namespaces: Sequence[str],
        labels: str,
        page: int | None,
        progress: Progress | None,
    ) -> None:
        self.client = client
        self.name = name
        self.origin = Live(f"cluster:{name}")
        self.namespaces = tuple(dict.fromkeys(namespaces))
        self.labels = labels
        self.page = page
        self.progress = progress
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.lists: dict[Kind, list[Resource]] = {}
        self.unlisted: dict[str, str] = {}
        self.unassessed: list[Unassessed] = []
        self.templates: set[Kind] = set()
        self.lost: list[Unreachable] = []
        self.shared = Shared()

    async def all(self, kinds: Sequence[Kind]) -> Reading:
        """Everything of these kinds, and of custom kinds that hold pod templates."""
        kubernetes = await kubernetes_minor(self.client)
        await self._round(kinds)
        known = {(kind.group, kind.resource) for kind in self.lists}
        more = sorted(k for k in self.templates if (k.group, k.resource) not in known)
        if more:
            await self._round(more)
        return Reading(
            target=self.origin.where,
            resources=tuple(r for resources in self.lists.values() for r in resources),
            unassessed=tuple(sorted(self.unassessed, key=lambda u: u.reason)),
            unlisted=dict(sorted(self.unlisted.items())),
            kubernetes=kubernetes,
            cluster=self.name,
            namespaces=self.namespaces,
        )

    async def _round(self, kinds: Sequence[Kind]) -> None:
        discovery = await discover(self.client, kinds)
        for kind in discovery.absent:
            if kind.required:
                self._missing(kind, "this API server does not serve it", asked=False)
        for kind, why in discovery.broken.items():
            self._missing(kind, why, asked=True)
        for served in discovery.served:
            self.lists[served.kind] = []
        async with asyncio.TaskGroup() as tasks:
            for served in discovery.served:
                tasks.create_task(self._kind(served))
        if self.lost and len(self.lost) == len(self.lists):  # it went away
            raise self.lost[0]

    async def _kind(self, served: Served) -> None:
        kind = served.kind
        spaces = self.namespaces if kind.namespaced and self.namespaces else ("",)
        asked = not kind.metadata_only and (kind.namespaced or not self.namespaces)
        async with self.turns:
            try:
                if kind.group_kind == "Namespace" and self.namespaces:
                    answers = [await self._space(space) for space in self.namespaces]
                    refused = [why for why in answers if why]
                else:
                    refused = [why for space in spaces if (why := await self._fill(served, space))]
            except Unreachable as error:
                self.lost.append(error)
                refused, asked = [f"{error.what}: {error.why}"], True
        if refused:
            self._missing(kind, "; ".join(refused), asked=asked)
        elif self.labels and kind.namespaced:
            self.unlisted[kind.group_kind] = f"only those labelled {self.labels} were listed"

    async def _fill(self, served: Served, space: str) -> str:
        """Lists one kind in one namespace, or in all; why that was refused, or nothing."""
        try:
            self.lists[served.kind].extend(await self._list(served, space))
        except Denied as denied:
            where = f" in namespace {space}" if space else ""
            return refusal(f"list {served.kind.group_resource}{where}", denied)
        return ""

    async def _space(self, name: str) -> str:
        """Reads one Namespace object; why that was refused, or nothing."""
        kind = next(kind for kind in self.lists if kind.group_kind == "Namespace")
        try:
            raw = await self.client.get(f"/api/v1/namespaces/{name}")
        except Denied as denied:
            return refusal(f"get namespace {name}", denied)
        self._keep(self.lists[kind], raw, Served(kind, "v1"))
        return ""

    async def _list(self, served: Served, space: str) -> list[Resource]:
        kind = served.kind
        found: list[Resource] = []
        last = 0
        pages = self.client.pages(
            served.path(space),
            limit=self.page or kind.page,
            labels=self.labels if kind.namespaced else "",
            accept=METADATA if kind.metadata_only else JSON,
        )
        async for attempt, items in pages:
            if attempt != last:
                found, last = [], attempt
            for item in items:
                self._keep(found, item, served)
            if self.progress is not None:
                self.progress(kind.resource, len(found))
        return found

    def _keep(self, into: list[Resource], item: Any, served: Served) -> None:
        kind = served.kind
        try:
            if not isinstance(item, dict):
                raise BadInput("not a Kubernetes object")
            refuse_depth(item)
            if kind.name == "CustomResourceDefinition":
                template = pod_template_kind(item)
                if template is not None:
                    self.templates.add(template)
            whole = {**item, "apiVersion": served.api_version, "kind": kind.name}
            raw = prune(whole, kind)
            if raw is not None:
                refuse_deep(raw)
                self.shared.object(raw)
                into.append(resource_of(raw, self.origin, self.name))
        except BadInput as error:
            reason = f"an object among {kind.group_resource}: {error.what}; {error.why}"
            self.unassessed.append(Unassessed(reason, self.origin.locate(())))

    def _missing(self, kind: Kind, why: str, *, asked: bool) -> None:
        self.unlisted[kind.group_kind] = why
        reason = f"{kind.group_kind}: {why}"
        self.unassessed.append(Unassessed(reason, self.origin.locate(()), asked=asked))


def refusal(what: str, denied: Denied) -> str:
    """Why the server did not answer a call, with the right that is missing."""
    if denied.status != 403:
        return f"{what} failed ({denied.status}): {denied.why}"
    user = re.search(r'User "([^"]+)" cannot', denied.why)
    why = f"{user.group(1)} holds no rule for it" if user else denied.why
    return f"{what} was refused (403): {why}"
