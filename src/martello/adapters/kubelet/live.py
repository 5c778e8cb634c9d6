"""Asks the kubelets of a cluster through the API server: `nodes/NAME/proxy/configz` and
`nodes/NAME/proxy/stats/summary`. It takes the right to `get nodes/proxy`; who lacks it learns so at
the first node, and the others are not asked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.cluster.client import Client
from martello.adapters.cluster.failure import Denied, TooLarge
from martello.adapters.cluster.kubeconfig import Access
from martello.adapters.kubelet.shape import Foreign, configuration, summary
from martello.core.errors import Unreachable

AT_ONCE: Final = 6
_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
_ASKED: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "configz": configuration,
    "stats/summary": summary,
}
_REFUSED: Final = (401, 403)


class Kubelets(msgspec.Struct, frozen=True):
    """By node name: configurations, summaries, and why something of a node could not be had."""

    configurations: dict[str, dict[str, Any]] = {}
    stats: dict[str, dict[str, Any]] = {}
    unread: dict[str, str] = {}


def ask(access: Access, nodes: Sequence[str], *, stats: bool = True) -> Kubelets:
    """What the kubelets of these nodes say. What one of them does not tell is `unread`. Raises
    Unreachable where the API server itself is gone, NotPermitted where it does not know us.
    """
    return asyncio.run(_ask(access, nodes, stats))


async def _ask(access: Access, nodes: Sequence[str], stats: bool) -> Kubelets:
    async with Client(access) as client:
        asking = _Asking(client)
        paths = list(_ASKED) if stats else ["configz"]
        names = [name for name in dict.fromkeys(nodes) if asking.known(name)]
        for name in names[:1]:  # whoever is refused at the first is refused at all
            for path in paths:
                await asking.one(name, path)
        async with asyncio.TaskGroup() as tasks:
            for name in names[1:]:
                for path in paths:
                    tasks.create_task(asking.one(name, path))
    return Kubelets(asking.found["configz"], asking.found["stats/summary"], asking.unread)


class _Asking:
    """The answers so far."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.found: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in _ASKED}
        self.unread: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.turns = asyncio.Semaphore(AT_ONCE)

    def known(self, name: str) -> bool:
        """Whether a node's name can stand in a path."""
        if _NAME.fullmatch(name):
            return True
        self.unread[name[:100]] = "it is no name of a node"
        return False

    async def one(self, name: str, path: str) -> None:
        """One answer of one kubelet."""
        async with self.turns:
            why = self.refused.get(path)
            if why is None:
                try:
                    raw = await self.client.get(f"/api/v1/nodes/{name}/proxy/{path}")
                    self.found[path][name] = _ASKED[path](raw)
                    return
                except Denied as denied:
                    why = f"get nodes/proxy: {denied.why} ({denied.status})"
                    if denied.status in _REFUSED:
                        self.refused[path] = why
                except TooLarge:
                    why = "its answer is too large"
                except Foreign as foreign:
                    why = str(foreign)
                except Unreachable as error:
                    if error.what.endswith("is no API server"):  # the kubelet answered, not in JSON
                        why = "its answer is no JSON object"
                    else:
                        raise
        told = f"{path}: {why}"
        before = self.unread.get(name)
        self.unread[name] = f"{before}; {told}" if before else told
