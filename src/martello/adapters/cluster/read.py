"""Reads a live cluster: every kind that the checks look at, as far as we may list it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.cluster.client import JSON, METADATA, Client
from martello.adapters.cluster.discovery import Served, discover, kubernetes_minor
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kinds import KINDS, REQUIRED, Kind
from martello.adapters.cluster.kubeconfig import Access, access
from martello.adapters.cluster.prune import pod_template_kind, prune
from martello.adapters.cluster.share import Shared
from martello.core.errors import BadInput, MartelloError, Unreachable
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


def read_cluster(
    context: str | None = None,
    *,
    kubeconfig: str | None = None,
    namespaces: Sequence[str] = (),
    labels: str = "",
    acting_as: str = "",
    groups: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Reading:
    """Everything in the cluster of a context (the current one for None) that the checks look at.

    `namespaces` bounds the namespaced kinds; `labels` (a label selector) too, and what it leaves
    out counts as unlisted. A refused kind is `unlisted` and unassessed. Raises Unreachable or
    NotPermitted where the cluster cannot be read at all.
    """
    found = access(context, kubeconfig=kubeconfig, acting_as=acting_as, groups=groups)
    return _run(read(found, namespaces, labels, progress=progress))


def read_clusters(
    contexts: Sequence[str],
    *,
    kubeconfig: str | None = None,
    namespaces: Sequence[str] = (),
    labels: str = "",
    progress: Progress | None = None,
) -> tuple[Reading, ...]:
    """Several clusters, each a Reading. One that cannot be read is an unassessed Reading, so that
    the others are judged; where none can be read, the first one's error is raised. An empty name is
    the current context.
    """
    readings: list[Reading] = []
    errors: list[MartelloError] = []
    for context in contexts:
        try:
            reading = read_cluster(
                context or None,
                kubeconfig=kubeconfig,
                namespaces=namespaces,
                labels=labels,
                progress=progress,
            )
        except BadInput:
            raise
        except MartelloError as error:
            errors.append(error)
            reading = _unread(context or "current context", error)
        readings.append(reading)
    if errors and len(errors) == len(readings):
        raise errors[0]
    return tuple(readings)


async def read(
    found: Access,
    namespaces: Sequence[str] = (),
    labels: str = "",
    *,
    kinds: Sequence[Kind] = KINDS,
    page: int | None = None,
    progress: Progress | None = None,
) -> Reading:
    """The same for an Access. `page` overrides how many objects are asked for at once."""
    try:
        async with Client(found) as client:
            reader = _Reader(client, found.name, namespaces, labels, page, progress)
            return await reader.all(kinds)
    except BaseExceptionGroup as several:
        raise first_of(several) from None


class _Reader:
    """One reading under way."""

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
            return _refusal(f"list {served.kind.group_resource}{where}", denied)
        return ""

    async def _space(self, name: str) -> str:
        """Reads one Namespace object; why that was refused, or nothing."""
        kind = next(kind for kind in self.lists if kind.group_kind == "Namespace")
        try:
            raw = await self.client.get(f"/api/v1/namespaces/{name}")
        except Denied as denied:
            return _refusal(f"get namespace {name}", denied)
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
            if kind.name == "CustomResourceDefinition":
                template = pod_template_kind(item)
                if template is not None:
                    self.templates.add(template)
            whole = {**item, "apiVersion": served.api_version, "kind": kind.name}
            raw = prune(whole, kind)
            if raw is not None:
                self.shared.object(raw)
                into.append(resource_of(raw, self.origin, self.name))
        except BadInput as error:
            reason = f"an object among {kind.group_resource}: {error.what}; {error.why}"
            self.unassessed.append(Unassessed(reason, self.origin.locate(())))

    def _missing(self, kind: Kind, why: str, *, asked: bool) -> None:
        self.unlisted[kind.group_kind] = why
        reason = f"{kind.group_kind}: {why}"
        self.unassessed.append(Unassessed(reason, self.origin.locate(()), asked=asked))


def _run(reading: Coroutine[Any, Any, Reading]) -> Reading:
    """Runs a reading to its end.

    The result is handed over aside: asyncio's runner would print that of its main task (into a text
    that nobody sees). The collector of cycles pauses: what is read makes none, and it would look
    through all of it again and again.
    """
    results: list[Reading] = []

    async def main() -> None:
        results.append(await reading)

    paused = gc.isenabled()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        if paused:
            gc.enable()
    return results[0]


def _refusal(what: str, denied: Denied) -> str:
    word = "was refused" if denied.status == 403 else "failed"
    return f"{what} {word} ({denied.status}): {denied.why}"


def _unread(context: str, error: MartelloError) -> Reading:
    why = "; ".join(part for part in (error.what, error.why) if part)
    where = f"cluster:{context}"
    return Reading(
        target=where,
        resources=(),
        unassessed=(Unassessed(why, Location(where)),),
        unlisted={kind.group_kind: why for kind in REQUIRED},
        cluster=context,
    )


def first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a person should see: ours, where there is one."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [several]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(reversed(error.exceptions))
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, MartelloError)), leaves[0])
