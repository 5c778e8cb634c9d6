"""Reads a live cluster: every kind that the checks look at, as far as we may list it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.kinds import KINDS, REQUIRED, Kind
from martello.adapters.cluster.kubeconfig import Access, access
from martello.adapters.cluster.reader import Progress, Reader
from martello.core.errors import BadInput, MartelloError
from martello.core.finding import Unassessed
from martello.core.own import Own
from martello.core.reading import Reading
from martello.core.resource import Location


def read_cluster(
    context: str | None = None,
    *,
    kubeconfig: str | None = None,
    namespaces: Sequence[str] = (),
    labels: str = "",
    acting_as: str = "",
    groups: tuple[str, ...] = (),
    own: Own | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Everything in the cluster of a context (the current one for None) that the checks look at.

    `namespaces` bounds the namespaced kinds; `labels` (a label selector) too, and what it leaves
    out counts as unlisted. A refused kind is `unlisted` and unassessed. `own` names the requests in
    the server's audit log. Raises Unreachable or NotPermitted where the cluster cannot be read at
    all.
    """
    found = access(context, kubeconfig=kubeconfig, acting_as=acting_as, groups=groups)
    found = msgspec.structs.replace(found, own=own)
    return _run(read(found, namespaces, labels, progress=progress))


def read_kinds(
    found: Access,
    namespaces: Sequence[str] = (),
    labels: str = "",
    *,
    kinds: Sequence[Kind],
    progress: Progress | None = None,
) -> Reading:
    """Only some kinds of a cluster, as far as we may list them. Raises as above."""
    return _run(read(found, namespaces, labels, kinds=kinds, progress=progress))


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
            reader = Reader(client, found.name, namespaces, labels, page, progress)
            return await reader.all(kinds)
    except BaseExceptionGroup as several:
        raise first_of(several) from None


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
