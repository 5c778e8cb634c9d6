"""What clouds and log shippers put around audit events: EKS, AKS, GKE, and lists of any of them.

EKS exports plain events, or as text in `message` (CloudWatch). AKS puts the event as text into
`properties.log`. GKE rewrites it as an entry of Cloud Audit Logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.adapters.audit.event import NotAnEvent, asked_of, loosely, nanoseconds
from martello.core.event import AuditEvent

_LISTS: Final = ("items", "records", "logEvents", "Events")
_INNER: Final = ("log", "message", "@message", "_source", "event", "textPayload", "jsonPayload")
_DEEPEST: Final = 5  # wrappers within wrappers
_GRPC: Final = {
    0: 200,
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
}
# What stands in the place of a name behind these is one more part of the path.
_CLUSTER_WIDE_NAMESPACES: Final = "namespaces"
_decode: Final = msgspec.json.Decoder().decode
Raw = dict[str, Any]


def unwrapped(raw: Any, depth: int = 0) -> Iterator[AuditEvent | NotAnEvent]:
    """The events that a parsed document holds, in order; NotAnEvent (not raised) for each part
    that is none.
    """
    if depth > _DEEPEST:
        yield NotAnEvent("it lies in too many wrappers")
        return
    if isinstance(raw, list):
        for one in raw:
            yield from unwrapped(one, depth + 1)
        return
    if not isinstance(raw, dict):
        yield NotAnEvent("it is no JSON object")
        return
    if isinstance(raw.get("protoPayload"), dict):
        yield _google(raw)
        return
    if isinstance(raw.get("verb"), str) and ("user" in raw or "objectRef" in raw):
        try:
            yield loosely(raw)
        except NotAnEvent as fault:
            yield fault
        return
    yield from _within(raw, depth)


def _within(raw: Raw, depth: int) -> Iterator[AuditEvent | NotAnEvent]:
    for key in _LISTS:
        if isinstance(raw.get(key), list):
            yield from unwrapped(raw[key], depth + 1)
            return
    inner = raw.get("properties")
    inner = inner.get("log") if isinstance(inner, dict) else None
    for key in _INNER:
        inner = inner if inner is not None else raw.get(key)
    if isinstance(inner, str):
        try:
            inner = _decode(inner.encode("utf-8", "replace"))
        except (msgspec.DecodeError, RecursionError):
            inner = None
    if isinstance(inner, dict | list):
        yield from unwrapped(inner, depth + 1)
        return
    yield NotAnEvent("it is no audit event")


def _google(entry: Raw) -> AuditEvent | NotAnEvent:
    """An entry of Cloud Audit Logs. Its groups, and whom it impersonates, are not said."""
    payload: Raw = entry["protoPayload"]
    words = _text(payload, "methodName").split(".")
    if words[:2] != ["io", "k8s"] or len(words) < 3:
        return NotAnEvent("it is no request to a Kubernetes API server")
    caller = _part(payload, "authenticationInfo")
    user = (
        _text(caller, "principalEmail")
        or _text(caller, "principalSubject")
        or _text(caller, "authoritySelector")
    )
    about = _part(payload, "requestMetadata")
    labels = _part(entry, "labels")
    code = _part(payload, "status").get("code")
    path = _text(payload, "resourceName")
    verb = words[-1]
    place = path_of(path) if len(words) > 3 else None
    operation = _part(entry, "operation")
    at = nanoseconds(_text(entry, "timestamp") or _text(entry, "receiveTimestamp"))
    group, resource, subresource, name, space = place or ("", "", "", "", "")
    asked = None
    if resource.endswith("subjectaccessreviews") and verb == "create":
        asked = asked_of(msgspec.json.encode(payload.get("request")))
    ip = _text(about, "callerIp") or _text(about, "callerIP")
    going = operation.get("first") is True and operation.get("last") is not True
    return AuditEvent(
        api_verb=verb,
        actor_user=user,
        api_uri="" if place else "/" + path.lstrip("/"),
        api_stage="ResponseStarted" if going else "ResponseComplete",
        api_id=_text(operation, "id") or _text(entry, "insertId"),
        time=at,
        actor_agent=_text(about, "callerSuppliedUserAgent"),
        actor_ips=(ip,) if ip else (),
        k8s_group=group,
        k8s_resource=resource,
        k8s_subresource=subresource,
        k8s_name=name,
        k8s_ns=space,
        api_code=_GRPC.get(code, 500) if isinstance(code, int) else 200,
        api_message=_text(_part(payload, "status"), "message")[:1000],
        api_decision=_text(labels, "authorization.k8s.io/decision"),
        api_grant=labels.get("authorization.k8s.io/reason")
        if isinstance(labels.get("authorization.k8s.io/reason"), str)
        else None,
        asked=asked,
        flags=() if at else ("clock",),
    )


def path_of(path: str) -> tuple[str, str, str, str, str] | None:
    """Group, resource, subresource, name and namespace of `group/version/namespaces/NS/RESOURCE/
    NAME/SUB`, where `core` is the group without a name; None where the path is no such.
    """
    parts = path.strip("/").split("/")
    if len(parts) < 3:
        return None
    group, rest = "" if parts[0] == "core" else parts[0], parts[2:]
    space = ""
    if rest[0] == _CLUSTER_WIDE_NAMESPACES and len(rest) > 1:
        space = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    return group, rest[0], "/".join(rest[2:]), name, space


def _text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _part(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}
