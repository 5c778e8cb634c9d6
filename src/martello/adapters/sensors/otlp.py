"""Logs as OTLP/HTTP carries them: ExportLogsServiceRequest, in JSON or protocol buffers.

Columns: log_text (the body; what is no text as JSON), log_stream (log.iostream), and pod and
container from the attributes of the resource (OpenTelemetry's semantic conventions for Kubernetes).
Source: opentelemetry-proto, logs/v1 and common/v1.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.protobuf import BYTES, BadWire, double, fields, signed
from martello.adapters.sensors.shape import (
    NOWHERE,
    SECOND,
    Event,
    Json,
    NotRead,
    Place,
    finished,
    identity,
    named,
    number,
    parsed,
    text,
    text_of,
)

SOURCE: Final = "otlp"
LARGEST: Final = 64 << 20  # bytes of a request
_DEEPEST: Final = 32
_MOST: Final = 100_000  # records of a request
_COLUMNS: Final = {
    "k8s.namespace.name": "k8s_ns",
    "k8s.pod.name": "pod_name",
    "k8s.pod.uid": "pod_uid",
    "k8s.container.name": "container_name",
    "container.id": "container_id",
    "container.image.name": "image_ref",
    "k8s.node.name": "node",
    "k8s.cluster.name": "cluster",
    "log.iostream": "log_stream",
}
_WORKLOADS: Final = {
    "k8s.deployment.name": "deploy",
    "k8s.daemonset.name": "ds",
    "k8s.statefulset.name": "sts",
    "k8s.cronjob.name": "cronjob",
    "k8s.job.name": "job",
}
Attributes = dict[str, Any]


class Record(msgspec.Struct, frozen=True):
    """One log record with the attributes of its resource."""

    time: int  # ns, 0 where the sender does not know
    seen: int
    body: Any
    attributes: Attributes
    resource: Attributes
    level: str


def read(
    body: bytes, seen: int, place: Place = NOWHERE, pods: Pods | None = None, *, json: bool
) -> list[Event]:
    """The events of a request's body. Raises NotRead: then none of it is taken, and the sender is
    told so.
    """
    if len(body) > LARGEST:
        raise NotRead(f"a request is larger than {LARGEST >> 20} MiB")
    flags: set[str] = set()
    try:
        records = list(_of_json(parsed(body, flags)) if json else _of_wire(body, flags))
    except (BadWire, RecursionError) as error:
        raise NotRead(f"it is no request of OTLP logs: {error}") from None
    known = pods or Pods()
    return [
        _event(record, index, seen, place, known, set(flags))
        for index, record in enumerate(records)
    ]


def _event(
    record: Record, index: int, seen: int, place: Place, pods: Pods, flags: set[str]
) -> Event:
    at = record.time or record.seen
    if not 31_536_000 * SECOND <= at < seen + 86_400 * SECOND:
        at = seen
        flags.add("clock")
    told = {**record.resource, **record.attributes}
    columns = {
        column: value
        for attribute, column in _COLUMNS.items()
        if isinstance(value := told.get(attribute), str) and value
    }
    tag = told.get("container.image.tag", told.get("container.image.tags"))
    tag = tag[0] if isinstance(tag, list) and tag else tag
    if "image_ref" in columns and isinstance(tag, str):
        columns["image_ref"] += f":{tag}"
    owner = next(
        (
            f"{kind}/{told[key]}"
            for key, kind in _WORKLOADS.items()
            if isinstance(told.get(key), str)
        ),
        None,
    )
    body = record.body if isinstance(record.body, str) else _json(record.body)
    known = pods.container(columns.get("container_id", "")) or pods.pod(
        columns.get("pod_uid", ""), columns.get("k8s_ns", ""), columns.get("pod_name", "")
    )
    event: Event = {
        "id": identity(place, SOURCE, record.time, record.seen, index, body, _json(told)),
        "kind": "log",
        "action": record.level.lower() or "line",
        "source": SOURCE,
        "time": at,
        "seen": seen,
        **({"pod_workload": owner} if owner else {}),
        **known,
        **columns,
        "log_text": body,
        "raw": _json({"body": record.body, "attributes": told}),
    }
    return finished(named(event, place), flags)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# JSON: numbers of 64 bits are texts, bytes are base64.


def _of_json(raw: Json) -> Iterator[Record]:
    if not isinstance(raw.get("resourceLogs"), list):
        raise NotRead("it is no request of OTLP logs")
    count = 0
    for logs in _list(raw, "resourceLogs"):
        resource = logs.get("resource")
        shared = _pairs(_list(resource, "attributes")) if isinstance(resource, dict) else {}
        for scope in _list(logs, "scopeLogs"):
            for one in _list(scope, "logRecords"):
                count += 1
                if count > _MOST:
                    raise NotRead(f"a request holds more than {_MOST} records")
                yield Record(
                    number(one, "timeUnixNano") or 0,
                    number(one, "observedTimeUnixNano") or 0,
                    _value(one.get("body"), 0),
                    _pairs(_list(one, "attributes")),
                    shared,
                    text(one, "severityText") or "",
                )


def _list(raw: Mapping[str, Any], key: str) -> list[Json]:
    value = raw.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _pairs(given: list[Json]) -> Attributes:
    return {
        key: _value(one.get("value"), 0) for one in given if isinstance(key := one.get("key"), str)
    }


def _value(given: Any, depth: int) -> Any:
    if not isinstance(given, dict) or depth > _DEEPEST:
        return None
    for key in ("stringValue", "boolValue", "doubleValue"):
        if key in given:
            value = given[key]
            return value if isinstance(value, str | bool | int | float) else None
    if "intValue" in given:
        return number(given, "intValue")
    if "bytesValue" in given:
        return given["bytesValue"] if isinstance(given["bytesValue"], str) else None
    if isinstance(inner := given.get("arrayValue"), dict):
        return [_value(one, depth + 1) for one in _list(inner, "values")]
    if isinstance(inner := given.get("kvlistValue"), dict):
        return {
            one["key"]: _value(one.get("value"), depth + 1)
            for one in _list(inner, "values")
            if isinstance(one.get("key"), str)
        }
    return None


# Protocol buffers: the numbers of the fields are those of the .proto files.


def _of_wire(body: bytes, flags: set[str]) -> Iterator[Record]:
    count = 0
    for logs in _messages(body, 1):
        shared: Attributes = {}
        for resource in _messages(logs, 1):
            shared = _wire_pairs(resource, 1, flags, 0)
        for scope in _messages(logs, 2):
            for one in _messages(scope, 2):
                count += 1
                if count > _MOST:
                    raise BadWire(f"more than {_MOST} records")
                yield _wire_record(one, shared, flags)


def _wire_record(message: memoryview, shared: Attributes, flags: set[str]) -> Record:
    times = {1: 0, 11: 0}
    level, body = "", None
    for key, wire, value in fields(message):
        if isinstance(value, int):
            if key in times:
                times[key] = value
        elif key == 3:
            level = text_of(bytes(value), flags)
        elif key == 5 and wire == BYTES:
            body = _wire_value(value, flags, 0)
    return Record(times[1], times[11], body, _wire_pairs(message, 6, flags, 0), shared, level)


def _messages(message: bytes | memoryview, key: int) -> Iterator[memoryview]:
    for found, _, value in fields(message):
        if found == key and not isinstance(value, int):
            yield value


def _wire_pairs(message: memoryview, key: int, flags: set[str], depth: int) -> Attributes:
    found: Attributes = {}
    for pair in _messages(message, key):
        name, value = "", None
        for part, _, told in fields(pair):
            if not isinstance(told, int):
                if part == 1:
                    name = text_of(bytes(told), flags)
                elif part == 2:
                    value = _wire_value(told, flags, depth + 1)
        found[name] = value
    return found


def _wire_value(message: memoryview, flags: set[str], depth: int) -> Any:
    """AnyValue: 1 text, 2 bool, 3 int, 4 double, 5 array, 6 pairs, 7 bytes."""
    if depth > _DEEPEST:
        raise BadWire("it is nested too deeply")
    value: Any = None
    for key, _, told in fields(message):
        if isinstance(told, int):
            value = {2: bool(told), 3: signed(told)}.get(key, double(told) if key == 4 else None)
        elif key == 1:
            value = text_of(bytes(told), flags)
        elif key == 5:
            value = [_wire_value(one, flags, depth + 1) for one in _messages(told, 1)]
        elif key == 6:
            value = _wire_pairs(told, 1, flags, depth)
        elif key == 7:
            value = base64.b64encode(told).decode("ascii")
    return value
