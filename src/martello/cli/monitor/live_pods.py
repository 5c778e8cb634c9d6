"""The cluster's pods, read again while `monitor run` goes on: from its API server or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from martello.cli.monitor.telling import Adds
from martello.core.errors import BadInput


def live_pods(flags: dict[str, Any], pods: Adds) -> Callable[[], None] | None:
    """What reads the cluster's pods again; None where nobody said where they are. Raises what
    reading raises: the first time counts.
    """
    if flags["pods"]:
        return lambda: _pods_of(flags["pods"], pods)
    if not (flags["context"] or flags["kubeconfig"]):
        return None

    def read() -> None:
        import anyio
        import msgspec

        from martello.adapters.cluster.client import Client
        from martello.adapters.cluster.kubeconfig import access

        async def listed() -> None:
            found = access(flags["context"], kubeconfig=flags["kubeconfig"])
            found = msgspec.structs.replace(found, own=flags["own"])
            async with Client(found) as client:
                async for _, page in client.pages("/api/v1/pods", limit=500):
                    for one in page:
                        pods.add(one)

        anyio.run(listed)

    return read


def _pods_of(file: str, pods: Adds) -> None:
    """The pods of a file as `kubectl get pods -A -o json` writes it."""
    import msgspec

    try:
        told = msgspec.json.decode(Path(file).read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"cannot read {file}", str(error), "kubectl get pods -A -o json") from None
    items = told.get("items") if isinstance(told, dict) else told
    for one in items if isinstance(items, list) else ():
        if isinstance(one, dict):
            pods.add(one)
