"""What clouds and log shippers put around audit events: EKS, AKS, GKE, and lists of any of them.

EKS exports plain events, or as text in `message` (CloudWatch). AKS puts the event as text into
`properties.log`. GKE rewrites it as an entry of Cloud Audit Logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from martello.adapters.audit.event import NotAnEvent, loosely
from martello.adapters.audit.text import Parsed, parsed
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
# Groups as names of methods have them, where they are not just cut at `.k8s.io`.
_GROUPS: Final = {
    "core": "",
    "rbac": "rbac.authorization.k8s.io",
    **{name: name for name in ("apps", "batch", "autoscaling", "policy", "extensions")},
}
# What stands in the place of a name behind these is one more part of the path.
_CLUSTER_WIDE_NAMESPACES: Final = "namespaces"
Raw = dict[str, Any]


def unwrapped(raw: Any) -> Iterator[AuditEvent | NotAnEvent]:
    """The events that a parsed document holds, in order; NotAnEvent (not raised) for each part
    that is none.
    """
    for one in documents(Parsed(raw)):
        try:
            yield one if isinstance(one, NotAnEvent) else loosely(one.value)
        except NotAnEvent as fault:
            yield fault


def documents(document: Parsed, depth: int = 0) -> Iterator[Parsed | NotAnEvent]:
    """The audit events that a parsed document holds as they are written, what a cloud rewrote
    written back; NotAnEvent for each part that is none.
    """
    raw, flags = document.value, document.flags
    if depth > _DEEPEST:
        yield NotAnEvent("it lies in too many wrappers")
        return
    if isinstance(raw, list):
        for one in raw:
            yield from documents(Parsed(one, flags), depth + 1)
        return
    if not isinstance(raw, dict):
        yield NotAnEvent("it is no JSON object")
        return
    if isinstance(raw.get("protoPayload"), dict):
        found = _google(raw)
        yield found if isinstance(found, NotAnEvent) else Parsed(found, flags)
        return
    if isinstance(raw.get("verb"), str) and ("user" in raw or "objectRef" in raw):
        yield document
        return
    yield from _within(raw, flags, depth)


def _within(raw: Raw, flags: tuple[str, ...], depth: int) -> Iterator[Parsed | NotAnEvent]:
    for key in _LISTS:
        if isinstance(raw.get(key), list):
            yield from documents(Parsed(raw[key], flags), depth + 1)
            return
    inner = raw.get("properties")
    inner = inner.get("log") if isinstance(inner, dict) else None
    for key in _INNER:
        inner = inner if inner is not None else raw.get(key)
    if isinstance(inner, str):
        try:
            found = parsed(inner.encode("utf-8", "replace"))
        except NotAnEvent:
            found = Parsed(None)
    else:
        found = Parsed(inner)
    if isinstance(found.value, dict | list):
        found.flags = (*flags, *found.flags)
        yield from documents(found, depth + 1)
        return
    yield NotAnEvent("it is no audit event")


def _google(entry: Raw) -> Raw | NotAnEvent:
    """An entry of Cloud Audit Logs written as the API server writes it; its bodies are moved, the
    rest of the entry stays. Its groups, and whom it impersonates, are not said.
    """
    payload: Raw = dict(entry["protoPayload"])
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
    code = _part(payload, "status").get("code")
    path = _text(payload, "resourceName")
    place = (path_of(path) or _of_method(words)) if len(words) > 3 else None
    operation = _part(entry, "operation")
    ip = _text(about, "callerIp") or _text(about, "callerIP")
    going = operation.get("first") is True and operation.get("last") is not True
    event: Raw = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": _text(operation, "id") or _text(entry, "insertId"),
        "stage": "ResponseStarted" if going else "ResponseComplete",
        "verb": words[-1],
        "user": {"username": user},
        "sourceIPs": [ip] if ip else [],
        "userAgent": _text(about, "callerSuppliedUserAgent"),
        "responseStatus": {
            "code": _GRPC.get(code, 500) if isinstance(code, int) else _granted(payload),
            "message": _text(_part(payload, "status"), "message"),
        },
        "stageTimestamp": _text(entry, "timestamp") or _text(entry, "receiveTimestamp"),
        "annotations": {k: v for k, v in _part(entry, "labels").items() if isinstance(v, str)},
    }
    if place:
        names = ("apiGroup", "resource", "subresource", "name", "namespace")
        event["objectRef"] = dict(zip(names, place, strict=True))
    else:
        event["requestURI"] = "/" + path.lstrip("/")
    for name in ("request", "response"):
        if name in payload:
            event[f"{name}Object"] = payload.pop(name)
    return {**entry, "protoPayload": payload, **event}


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


def _of_method(words: list[str]) -> tuple[str, str, str, str, str] | None:
    """As `path_of`, of an entry without a path: `io.k8s.GROUP.VERSION.RESOURCE[.SUB].VERB` says all
    but names.
    """
    if len(words) < 6:
        return None
    group = _GROUPS.get(words[2], f"{words[2]}.k8s.io")
    return group, words[4], "/".join(words[5:-1]), "", ""


def _granted(payload: Raw) -> int:
    """The status of an entry that has none: 403 where it says that nothing was granted."""
    told = payload.get("authorizationInfo")
    asked = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return 403 if asked and all(one.get("granted") is False for one in asked) else 200


def _text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _part(raw: Raw, key: str) -> Raw:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}
