"""What leads from the internet to the places of a question: policies alone open no way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from martello.cli.network.opening import Opened
from martello.practices.network.model import Endpoint
from martello.practices.network.outer.internet import Entry, internet

if TYPE_CHECKING:
    from martello.cli.network.asking import Pair

_SHOWN: Final = 3


def ways_in(opened: Opened, asked: Sequence[Pair]) -> list[str]:
    """One line on what leads there from outside, where policies do not stop what comes: a load
    balancer, a node port, a host port, an Ingress; or that nothing here does.
    """
    open_ = [pair for pair in asked if pair.verdict != "denied"]
    pods = [pair for pair in open_ if isinstance(pair.destination, Endpoint)]
    if not pods:
        return []
    if all(pair.destination.host_network for pair in pods):  # type: ignore[union-attr]
        return ["it is on the network of its node: whoever reaches the node reaches it"]
    wanted = {(pair.destination.name, pair.protocol, pair.port) for pair in pods}  # type: ignore[union-attr]
    found = [e for e in internet(opened.reach, opened.cluster) if _leads(e, wanted)]
    if not found:
        return [
            "that is what policies say; no Ingress, Service or host port that is here leads there "
            "from outside"
        ]
    told = list(dict.fromkeys(map(_told, found)))
    more = f", and {len(told) - _SHOWN} more (matrix --exposure)" if len(told) > _SHOWN else ""
    return [f"what leads there from outside: {', '.join(told[:_SHOWN])}{more}"]


def _leads(entry: Entry, wanted: set[tuple[str, str, int]]) -> bool:
    exact = (entry.workload, entry.protocol, entry.target)
    return exact in wanted or any(name == entry.workload and not port for name, _, port in wanted)


def _told(entry: Entry) -> str:
    inside = " (private network only)" if entry.internal else ""
    return f"{entry.kind} {entry.resource.ref.local} to {entry.protocol} {entry.target}{inside}"
