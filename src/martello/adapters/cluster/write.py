"""Changes of objects in a live cluster: all are tried by the server first, and then made, in order.

What was changed in the cluster since it was read is not overwritten: each change names the version
that it is of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied
from martello.adapters.cluster.kubeconfig import access
from martello.core.errors import Refused

_CONFLICT: Final = 409


class Write(msgspec.Struct, frozen=True):
    """One call: POST to a collection, PATCH (a merge) or DELETE of an object; in words for people:
    `change shop/Role/deployer`.
    """

    method: str
    path: str
    body: Mapping[str, Any]
    words: str


def write_all(context: str | None, kubeconfig: str | None, writes: Sequence[Write]) -> None:
    """Tries all in the server, and makes them where none is refused. Raises Refused, where nothing
    was changed, or with what was; BadInput, Unreachable, NotPermitted.
    """
    asyncio.run(_write(context, kubeconfig, writes))


async def _write(context: str | None, kubeconfig: str | None, writes: Sequence[Write]) -> None:
    async with Client(access(context, kubeconfig=kubeconfig)) as client:
        for dry_run in (True, False):
            for done, one in enumerate(writes):
                try:
                    await client.write(one.method, one.path, one.body, dry_run=dry_run)
                except Denied as denied:
                    raise _refused(one, denied, 0 if dry_run else done, len(writes)) from None


def _refused(one: Write, denied: Denied, done: int, of: int) -> Refused:
    what = f"the API server refuses to {one.words}"
    what += f": {done} of {of} changes were made" if done else ": nothing was changed"
    why = f"{denied.why} ({denied.status})"
    if denied.status == _CONFLICT:
        return Refused(what, why, "it was changed since it was read: ask again")
    return Refused(what, why, "ask for the right to make it, or --write DIR and review the files")
