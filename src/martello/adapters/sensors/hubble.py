"""Hubble's flows (JSON, one a line) as events of kind `network`.

The action is the verdict (forwarded, dropped, …); pod, container and workload are those of the
pod on this node's side: the source of what goes out, else the destination. Replies are left out,
as flows are told from both ends of a conversation. Lost events become gaps.
"""

from __future__ import annotations

from typing import Final

from martello.adapters.sensors.pods import Pods, owned
from martello.adapters.sensors.reading import Read, reading
from martello.adapters.sensors.shape import (
    Event,
    Json,
    NotRead,
    Place,
    finished,
    gap,
    identity,
    moment,
    named,
    number,
    parsed,
    part,
    text,
    texts,
)

SOURCE: Final = "hubble"
_NUMBERS: Final = {1: "forwarded", 2: "dropped", 3: "error", 4: "audit", 5: "redirected"}
_BLIND: Final = frozenset({"NODE_ERROR", "NODE_GONE", "NODE_UNAVAILABLE"})


def flow(line: bytes, seen: int, place: Place, pods: Pods) -> list[Event]:
    """The event of one flow; none for a reply. Raises NotRead."""
    flags: set[str] = set()
    raw = parsed(line, flags)
    raw = part(raw, "result") or raw
    told = part(raw, "flow") or raw
    at = moment(told.get("time") or raw.get("time"), seen, flags)
    node = text(told, "node_name") or text(raw, "node_name") or place.node
    place = place._replace(node=node)
    if lost := part(raw, "lost_events"):
        why = f"lost in {text(lost, 'source') or 'Hubble'}"
        return [gap(place, SOURCE, "lost", at, at, why, number(lost, "num_events_lost"))]
    if status := part(raw, "node_status"):
        state = text(status, "state_change") or ""
        return [gap(place, SOURCE, "silent", at, at, state)] if state in _BLIND else []
    ends, layer = part(told, "IP"), part(told, "l4")
    if not ends and not part(told, "source"):
        raise NotRead("it is no flow of Hubble")
    if told.get("is_reply") is True or told.get("reply") is True:
        return []
    protocol = next((one for one in layer if isinstance(layer[one], dict)), None)
    ports = part(layer, protocol) if protocol else {}
    verdict = told.get("verdict")
    event: Event = {
        "id": identity(place, SOURCE, line),
        "kind": "network",
        "action": _NUMBERS.get(verdict, "unknown")
        if isinstance(verdict, int)
        else (text(told, "verdict") or "unknown").lower(),
        "source": SOURCE,
        "time": at,
        "seen": seen,
        "net_proto": protocol.lower() if protocol else None,
        "net_src_ip": text(ends, "source"),
        "net_src_port": number(ports, "source_port"),
        "net_dst_ip": text(ends, "destination"),
        "net_dst_port": number(ports, "destination_port"),
        "net_dst_name": _name(told),
        "sys_res": text(told, "drop_reason_desc"),
        **_pod(told, pods),
        "raw": line.decode("utf-8", "backslashreplace"),
    }
    return [finished(named(event, place), flags)]


def _name(told: Json) -> str | None:
    query = text(part(part(told, "l7"), "dns"), "query")
    if query:
        return query.rstrip(".")
    return next(iter(texts(told, "destination_names")), None)


def _pod(told: Json, pods: Pods) -> Event:
    source, destination = part(told, "source"), part(told, "destination")
    incoming = told.get("traffic_direction") in ("INGRESS", 1) or not text(source, "pod_name")
    side = destination if incoming and text(destination, "pod_name") else source
    name, space = text(side, "pod_name"), text(side, "namespace")
    if name is None:
        return {}
    given = side.get("workloads")
    first = given[0] if isinstance(given, list) and given and isinstance(given[0], dict) else {}
    columns: Event = {
        **pods.pod(namespace=space or "", name=name),
        "k8s_ns": space,
        "pod_name": name,
    }
    columns.setdefault("pod_workload", owned(text(first, "kind"), text(first, "name")))
    return columns


read: Final[Read] = reading(flow)
