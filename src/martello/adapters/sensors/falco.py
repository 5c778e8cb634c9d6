"""Falco's alerts in JSON, one a line: what a rule of Falco says, not what happened beside it.

`output_fields` fill columns through the names that core/event.py gives for Falco; fields that a
rule does not print are null. Falco's own notices of dropped events become gaps.
"""

from __future__ import annotations

import re
from typing import Any, Final

from martello.adapters.sensors.pods import Pods
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
)
from martello.core.event import COLUMNS

SOURCE: Final = "falco"
_COLUMN: Final = {
    field: name
    for name, column in COLUMNS.items()
    if "alert" in column.kinds and name != "time"
    for field in column.falco
}
_MARKS: Final = {
    "proc.is_exe_upper_layer": "upper",
    "proc.is_exe_from_memfd": "memfd",
}
_ANCESTOR: Final = re.compile(r"proc\.aname\[(\d{1,2})\]")
_ENDS: Final = re.compile(r"([0-9a-fA-F.:]+):(\d{1,5})->([0-9a-fA-F.:]+):(\d{1,5})")
_NOTHING: Final = frozenset({"", "<NA>", "-"})


def alert(line: bytes, seen: int, place: Place, pods: Pods) -> list[Event]:
    """The event of one alert. Raises NotRead."""
    flags: set[str] = set()
    raw = parsed(line, flags)
    rule = text(raw, "rule")
    if rule is None:
        raise NotRead("it is no alert of Falco")
    fields = part(raw, "output_fields")
    at = moment(raw.get("time"), seen, flags)
    place = place._replace(node=text(raw, "hostname") or text(fields, "evt.hostname") or place.node)
    if rule.startswith("Falco internal"):
        count = number(fields, "n_drops")
        return [gap(place, SOURCE, "lost", at, at, text(raw, "output") or rule, count)]
    event: Event = {
        "id": identity(place, SOURCE, line),
        "kind": "alert",
        "action": text(fields, "evt.type") or "alert",
        "source": SOURCE,
        "time": at,
        "seen": seen,
        **_columns(fields, flags),
        "rule_name": rule,
        "rule_priority": text(raw, "priority"),
        "rule_output": text(raw, "output"),
        "raw": line.decode("utf-8", "backslashreplace"),
    }
    known = pods.container(event.get("container_id") or "") or pods.pod(
        event.get("pod_uid") or "", event.get("k8s_ns") or "", event.get("pod_name") or ""
    )
    return [finished(named({**known, **event}, place), flags)]


def _columns(fields: Json, flags: set[str]) -> Event:
    found: Event = {}
    for field, value in fields.items():
        column = _COLUMN.get(field)
        if column is not None and value is not None and not _nothing(value):
            typed = _typed(COLUMNS[column].type, value)
            if typed is None:
                flags.add("partial")  # of another type than its column
            else:
                found[column] = typed
    if found.get("container_id") == "host":
        for column in ("container_id", "container_name"):
            found.pop(column, None)
    for column in ("proc_auid", "proc_uid"):
        if found.get(column) in (-1, 4_294_967_295):
            del found[column]
    image = text(fields, "container.image.repository")
    if image and "image_ref" not in found:
        tag = text(fields, "container.image.tag")
        found["image_ref"] = f"{image}:{tag}" if tag else image
    marks = [mark for field, mark in _MARKS.items() if fields.get(field) in (True, "true")]
    if marks:
        found["proc_flags"] = marks
    _ancestors(fields, found)
    _ends(fields, found)
    return found


def _nothing(value: object) -> bool:
    return isinstance(value, str) and value in _NOTHING


def _ancestors(fields: Json, found: Event) -> None:
    """`proc.aname[1]` is the parent."""
    names = {
        int(match[1]): value
        for field, value in fields.items()
        if (match := _ANCESTOR.fullmatch(field)) and isinstance(value, str)
    }
    if found.get("proc_parent_name"):
        names.setdefault(1, found["proc_parent_name"])
    names.pop(0, None)
    if names and 1 in names:
        found["proc_ancestors"] = [names[level] for level in sorted(names)]


def _ends(fields: Json, found: Event) -> None:
    """The name of a connection is `client:port->server:port`, and no path."""
    match = _ENDS.fullmatch(found.get("file_path", ""))
    if match is None:
        if fields.get("fd.type") in ("ipv4", "ipv6"):
            found.pop("file_path", None)
        return
    del found["file_path"]
    ends = (match[1], int(match[2]), match[3], int(match[4]))
    columns = ("net_src_ip", "net_src_port", "net_dst_ip", "net_dst_port")
    for column, value in zip(columns, ends, strict=True):
        found.setdefault(column, value)


def _typed(type_: str, value: Any) -> Any:
    """A value as its column has it; None where it cannot be."""
    if type_ == "int":
        return number({"": value}, "")
    if type_ in ("text", "time"):
        return text({"": value}, "") if not isinstance(value, bool) else str(value).lower()
    if type_ == "texts":
        values = value if isinstance(value, list) else [value]
        return values if all(isinstance(one, str) for one in values) else None
    if type_ == "bool":
        return value if isinstance(value, bool) else None
    return None


read: Final[Read] = reading(alert)
