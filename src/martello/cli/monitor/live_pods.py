"""The cluster's pods, as they are while `monitor run` goes on: from its API server or a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from martello.cli.monitor.telling import Adds
from martello.core.errors import BadInput

if TYPE_CHECKING:
    from martello.cli.monitor.jobs import Jobs

_EVERY: Final = 2.0  # seconds between readings of a file


def live_pods(flags: dict[str, Any], pods: Adds) -> Callable[[Jobs], None] | None:
    """Reads the cluster's pods, and gives what follows them; None where nobody said where they are.
    Raises what reading raises.
    """
    if flags["pods"]:
        _pods_of(flags["pods"], pods)
        again = partial(_pods_of, flags["pods"], pods)
        return lambda jobs: jobs.run(again, "pods", _EVERY)
    if not (flags["context"] or flags["kubeconfig"]):
        return None
    from martello.cli.monitor.collection import Collection

    def take(found: list[dict[str, Any]]) -> None:
        for one in found:
            pods.add(one)

    followed = Collection(flags, "/api/v1/pods", "pods", take)
    followed.read()
    return followed.follow


def _pods_of(file: str, pods: Adds) -> None:
    """The pods of a file as `kubectl get pods -A -o json` writes it."""
    import msgspec

    try:
        told = msgspec.json.decode(Path(file).read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"cannot read {file}", why, "kubectl get pods -A -o json") from None
    items = told.get("items") if isinstance(told, dict) else told
    for one in items if isinstance(items, list) else ():
        if isinstance(one, dict):
            pods.add(one)
