"""Kubernetes Events (core/v1 and events.k8s.io/v1): what components say of objects.

They are kept for an hour by default, are rate-limited and merged: no audit trail. A series is one
event with its count so far (`ev_count`); each update is told again, with an id of its own.
"""

from __future__ import annotations

import re
from typing import Final

from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.reading import Read, reading
from martello.adapters.sensors.shape import (
    Event,
    Json,
    NotRead,
    Place,
    finished,
    identity,
    moment,
    named,
    number,
    parsed,
    part,
    text,
)

SOURCE: Final = "events"
_CONTAINER: Final = re.compile(r"spec\.(?:init|ephemeral)?[cC]ontainers\{([^}]{1,253})\}")
_MOST: Final = 100_000  # events of one list
_WATCHED: Final = frozenset({"ADDED", "MODIFIED"})


def each(line: bytes, seen: int, place: Place, pods: Pods) -> list[Event]:
    """The Events of a line: an Event, a list of them or a watch's event. Raises NotRead."""
    flags: set[str] = set()
    return told(parsed(line, flags), seen, place, pods, flags)


def told(raw: Json, seen: int, place: Place, pods: Pods, flags: set[str]) -> list[Event]:
    """The events of one object: an Event, a list, or what a watch sends. Raises NotRead."""
    if "object" in raw and "type" in raw:
        if text(raw, "type") not in _WATCHED:
            return []  # bookmarks, and Events whose hour is over
        raw = part(raw, "object")
    items = raw.get("items")
    if isinstance(items, list):
        if len(items) > _MOST:
            raise NotRead(f"a list of more than {_MOST} Events")
        return [event(one, seen, place, pods, set(flags)) for one in items if isinstance(one, dict)]
    return [event(raw, seen, place, pods, flags)]


def event(raw: Json, seen: int, place: Place, pods: Pods, flags: set[str]) -> Event:
    """The event of one Event. Raises NotRead."""
    about = part(raw, "involvedObject", "regarding")
    meta, series = part(raw, "metadata"), part(raw, "series")
    reason = text(raw, "reason")
    if not about or reason is None:
        raise NotRead("it is no Event")
    count = number(series, "count") or number(raw, "count", "deprecatedCount") or 1
    source = part(raw, "source", "deprecatedSource")
    given = (
        text(series, "lastObservedTime")
        or text(raw, "lastTimestamp", "deprecatedLastTimestamp")
        or text(raw, "eventTime")
        or text(raw, "firstTimestamp", "deprecatedFirstTimestamp")
        or text(meta, "creationTimestamp")
    )
    kind, name, space = text(about, "kind"), text(about, "name"), text(about, "namespace")
    pod = kind == "Pod"
    inside = _CONTAINER.search(text(about, "fieldPath") or "")
    uid = text(about, "uid")
    found: Event = {
        "id": identity(
            place._replace(boot=""), SOURCE, text(meta, "uid") or text(meta, "name"), space, count
        ),
        "kind": "k8s_event",
        "action": (text(raw, "action") or "event").lower(),
        "source": SOURCE,
        "node": text(source, "host") or None,
        "time": moment(given, seen, flags),
        "seen": seen,
        **(pods.pod(uid or "", space or "", name or "") if pod else {}),
        "k8s_ns": space,
        "k8s_group": (text(about, "apiVersion") or "").rpartition("/")[0] or None,
        "k8s_resource": _plural(kind),
        "k8s_name": name,
        "k8s_obj_name": name,
        "k8s_uid": uid,
        "ev_reason": reason,
        "ev_type": text(raw, "type"),
        "ev_count": count,
        "log_text": text(raw, "message", "note"),
    }
    if pod:
        found |= {"pod_name": name, "pod_uid": uid}
        if inside is not None:
            found["container_name"] = inside[1]
    found = {column: value for column, value in found.items() if value is not None}
    return finished(named(found, place._replace(node="")), flags)


def _plural(kind: str | None) -> str | None:
    """The resource of a kind: the built-in ones are made by these rules of English."""
    if kind is None:
        return None
    low = kind.lower()
    if low == "endpoints":
        return low
    if low.endswith(("s", "x", "ch")):
        return f"{low}es"
    return f"{low[:-1]}ies" if low.endswith("y") and low[-2:-1] not in "aeiou" else f"{low}s"


read: Final[Read] = reading(each)
