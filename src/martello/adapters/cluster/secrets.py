"""Reads single Secrets of a live cluster, which are named: those that pods pull images with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kubeconfig import Access, access
from martello.adapters.cluster.read import first_of
from martello.adapters.cluster.reader import refusal

AT_ONCE: Final = 6
Named = tuple[str, str]  # namespace and name


def read_secrets(
    wanted: Sequence[Named], context: str | None = None, *, kubeconfig: str | None = None
) -> dict[Named, Mapping[str, Any] | str]:
    """The `data` of each Secret (base64, as it lies there), or why it could not be read: what right
    is missing, or that there is none of that name. Raises Unreachable, NotPermitted.
    """
    if not wanted:
        return {}
    return asyncio.run(_read(access(context, kubeconfig=kubeconfig), wanted))


async def _read(found: Access, wanted: Sequence[Named]) -> dict[Named, Mapping[str, Any] | str]:
    turns = asyncio.Semaphore(AT_ONCE)
    answers: dict[Named, Mapping[str, Any] | str] = {}

    async def one(client: Client, named: Named) -> None:
        async with turns:
            answers[named] = await _one(client, named)

    try:
        async with Client(found) as client, asyncio.TaskGroup() as tasks:
            for named in dict.fromkeys(wanted):
                tasks.create_task(one(client, named))
    except BaseExceptionGroup as several:
        raise first_of(several) from None
    return answers


async def _one(client: Client, named: Named) -> Mapping[str, Any] | str:
    namespace, name = named
    try:
        raw = await client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except Denied as denied:
        if denied.status == 404:
            return f"there is no secret {namespace}/{name}"
        return refusal(f"get secret {name} in namespace {namespace}", denied)
    data = raw.get("data")
    return data if isinstance(data, dict) else {}
