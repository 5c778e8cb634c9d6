"""Flows of Calico's Goldmane, as Whisker serves them and as its gRPC API is written in JSON.

They are aggregated and have no addresses: a pod's name stands for all pods that share its
generated prefix (`web-755cdc7957-*`), which becomes the workload's name here.
"""

from __future__ import annotations

from typing import Any, Final

from martello.adapters.flows.ends import (
    BadLine,
    Ends,
    One,
    Read,
    Result,
    connection,
    each,
    elapsed,
    protocol_of,
)
from martello.adapters.flows.fields import Json, number, parsed, part, text, time
from martello.core.flow import Peer

NAME: Final = "goldmane"
_VERDICTS: Final = {"allow": "forwarded", "deny": "dropped"}
_NETWORKS: Final = {"pub": "external", "pvt": "unknown"}


def reader(ends: Ends) -> Read:
    """Reads one file's lines: a flow each, or a page of `items`."""

    def read(line: bytes, witness: str) -> Result:
        raw = parsed(line)
        items = raw.get("items")
        if not isinstance(items, list):
            return _flow(ends, raw, witness)
        return each(items, lambda one: _flow(ends, one, witness))

    return read


def _flow(ends: Ends, raw: Any, witness: str) -> One:
    if not isinstance(raw, dict):
        raise BadLine("it is no flow of Goldmane")
    flow = part(raw, "flow") or raw
    key = part(flow, "Key", "key") or flow
    if not any(name in key for name in ("source_name", "sourceName")):
        raise BadLine("it is no flow of Goldmane")
    return connection(
        side(ends, key, "source"),
        side(ends, key, "dest"),
        protocol_of(key.get("protocol", key.get("proto"))),
        number(key, "dest_port", "destPort") or 0,
        0,
        _start(flow.get("start_time", flow.get("startTime"))),
        verdict_of(key),
        False,
        number(flow, "num_connections_started", "numConnectionsStarted") or 1,
        (),
        None,
        NAME,
        witness,
    )


def verdict_of(raw: Json) -> str:
    """What became of it: both ends report, and each knows its own policies only."""
    return _VERDICTS.get(text(raw, "action").lower(), "unknown")


def side(ends: Ends, raw: Json, which: str) -> Peer:
    """The peer of one end, `source` or `dest`, by its aggregated name and type."""
    name = text(raw, f"{which}_name_aggr", f"{which}_name", f"{which}Name")
    full = text(raw, f"{which}_name") if f"{which}_name_aggr" in raw else ""
    namespace = text(raw, f"{which}_namespace", f"{which}Namespace")
    kind = text(raw, f"{which}_type", f"{which}Type").lower()
    ip = text(raw, f"{which}_ip")
    if kind in ("hep", "hostendpoint"):
        return ends.peer(ip, "", "", name, "node")
    if not namespace and (name in _NETWORKS or kind in ("net", "network")):
        return ends.peer(ip, kind=_NETWORKS.get(name, "unknown"))
    if kind in ("ns", "networkset"):
        return ends.peer(ip, namespace, "", name, "external")
    if not namespace:
        return ends.peer(ip, "", "", name)
    star = name.endswith("*")
    # Without a star the name is a whole pod's: one that no controller made.
    pod = full if full and not full.endswith("*") else "" if star else name
    workload = name[:-1].removesuffix("-") if star else ""
    return ends.peer(ip, namespace, pod, workload, "pod")


def _start(value: Any) -> float:
    if isinstance(value, str) and not value.isdigit():
        return time({"start": value}, "start")
    seconds = number({"start": value}, "start")
    return elapsed(seconds, 1) if seconds else 0.0
