"""One audit event out of its JSON: audit.k8s.io/v1, v1beta1 and v1alpha1.

The fast way decodes into types. An event with a field of another type takes the slow way: the
field is left out and the event is flagged `partial`. Of a key written twice the last one counts,
as for the API server.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from martello.core.event import Asked, AuditEvent

REVIEWS: Final = frozenset(
    {"subjectaccessreviews", "localsubjectaccessreviews", "selfsubjectaccessreviews"}
)
MOST_GROUPS: Final = 1000  # of a user; more are cut, and the event is partial
_LONGEST_MESSAGE: Final = 1000
_DECISION: Final = "authorization.k8s.io/decision"
_GRANT: Final = "authorization.k8s.io/reason"


class NotAnEvent(Exception):
    """What was read is no audit event; the message says why."""


class _User(msgspec.Struct, gc=False):
    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class _Object(msgspec.Struct, gc=False):
    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    apiGroup: str | None = None
    apiVersion: str | None = None
    subresource: str | None = None


class _Status(msgspec.Struct, gc=False):
    code: int | None = None
    reason: str | None = None
    message: str | None = None


class Written(msgspec.Struct, gc=False):
    """An event as the API server writes it, as far as it is read here."""

    kind: str | None = None
    apiVersion: str | None = None
    level: str | None = None
    auditID: str | None = None
    stage: str | None = None
    requestURI: str | None = None
    verb: str | None = None
    user: _User | None = None
    impersonatedUser: _User | None = None
    sourceIPs: list[str] | None = None
    userAgent: str | None = None
    objectRef: _Object | None = None
    responseStatus: _Status | None = None
    requestObject: msgspec.Raw = msgspec.Raw()
    requestReceivedTimestamp: str | None = None
    stageTimestamp: str | None = None
    timestamp: str | None = None
    annotations: dict[str, str] | None = None


_NOBODY: Final = _User()
_NOTHING: Final = _Object()
_NO_STATUS: Final = _Status()
typed: Final[Callable[[bytes], Written]] = msgspec.json.Decoder(Written).decode
_loose: Final[Callable[[bytes | msgspec.Raw], Any]] = msgspec.json.Decoder().decode


def event_of(written: Written, flags: tuple[str, ...] = ()) -> AuditEvent:
    """The event of one that was decoded. Raises NotAnEvent."""
    verb, user = written.verb, written.user or _NOBODY
    if verb is None or (written.kind is not None and written.kind != "Event"):
        raise NotAnEvent("it is no audit event")
    acting = written.impersonatedUser or _NOBODY
    about = written.objectRef or _NOTHING
    status = written.responseStatus or _NO_STATUS
    notes = written.annotations
    given = written.stageTimestamp or written.requestReceivedTimestamp or written.timestamp
    at = nanoseconds(given) if given else 0
    if not at:
        flags = (*flags, "clock")
    group, resource = about.apiGroup or "", about.resource or ""
    if not group and about.apiVersion and "/" in about.apiVersion:  # as v1alpha1 wrote it
        group = about.apiVersion.partition("/")[0]
    groups = user.groups
    if groups is not None and len(groups) > MOST_GROUPS:
        groups, flags = groups[:MOST_GROUPS], (*flags, "partial")
    asked = None
    if resource in REVIEWS and group == "authorization.k8s.io" and verb == "create":
        asked = asked_of(written.requestObject)
    return AuditEvent(
        verb,
        user.username or "",
        written.requestURI or "",
        written.stage or "ResponseComplete",
        written.auditID or "",
        written.level or "",
        at,
        None if groups is None else tuple(groups),
        user.uid or "",
        acting.username or "",
        tuple(acting.groups[:MOST_GROUPS]) if acting.groups else (),
        acting.uid or "",
        _extra(acting) if acting.extra else (),
        written.userAgent or "",
        tuple(written.sourceIPs) if written.sourceIPs else (),
        group,
        resource,
        about.subresource or "",
        about.name or "",
        about.namespace or "",
        status.code or 0,
        status.reason or "",
        (status.message or "")[:_LONGEST_MESSAGE],
        notes.get(_DECISION, "") if notes else "",
        notes.get(_GRANT) if notes else None,
        asked,
        flags,
    )


def loosely(raw: Any) -> AuditEvent:
    """The event of a parsed object whose fields may be of any type. Raises NotAnEvent."""
    if not isinstance(raw, dict):
        raise NotAnEvent("it is no JSON object")
    plain = {name: value for name, value in raw.items() if name not in _BODIES}
    partial = False
    try:
        written = msgspec.convert(plain, Written)
    except (msgspec.ValidationError, RecursionError):
        written, partial = _one_by_one(plain), True
    body = raw.get("requestObject")
    if body is not None and raw.get("verb") == "create" and _reviews(raw):
        try:
            written.requestObject = msgspec.Raw(msgspec.json.encode(body))
        except (msgspec.EncodeError, RecursionError, ValueError, TypeError):
            partial = True
    return event_of(written, ("partial",) if partial else ())


def _reviews(raw: dict[str, Any]) -> bool:
    about = raw.get("objectRef")
    return isinstance(about, dict) and about.get("resource") in _REVIEWS


def _one_by_one(raw: dict[str, Any]) -> Written:
    """What has the right type; the rest is left out."""
    kept: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        try:
            kept[name] = msgspec.convert(raw.get(name), kind)
        except (msgspec.ValidationError, RecursionError):
            continue
    return Written(**kept)


_REVIEWS: Final = tuple(REVIEWS)  # what is asked may be of any type
_BODIES: Final = frozenset({"requestObject", "responseObject"})
_TYPES: Final[dict[str, Any]] = {
    field.name: field.type for field in msgspec.structs.fields(Written) if field.name not in _BODIES
}


def asked_of(body: bytes | msgspec.Raw) -> Asked | None:
    """The question that a review's body holds; None where there is none that can be read."""
    try:
        raw = _loose(body) if bytes(body) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    spec = raw.get("spec") if isinstance(raw, dict) else None
    if not isinstance(spec, dict):
        return None
    groups = spec.get("groups", spec.get("group"))  # `group` in v1beta1
    names = [g for g in groups if isinstance(g, str)] if isinstance(groups, list) else []
    who = (_text(spec, "user"), tuple(names[:MOST_GROUPS]))
    part, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if isinstance(part, dict):
        return Asked(
            _text(part, "verb"),
            *who,
            _text(part, "group"),
            _text(part, "resource"),
            _text(part, "subresource"),
            _text(part, "name"),
            _text(part, "namespace"),
        )
    if isinstance(path, dict):
        return Asked(_text(path, "verb"), *who, path=_text(path, "path") or "/")
    return None


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def _extra(user: _User) -> tuple[tuple[str, str], ...]:
    pairs = ((key, value) for key, values in (user.extra or {}).items() for value in values)
    return tuple(pair for pair, _ in zip(pairs, range(MOST_GROUPS), strict=False))


_REST: Final = re.compile(r"(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def nanoseconds(text: str) -> int:
    """An RFC 3339 time as ns since 1970, UTC; 0 where the text is none."""
    at, rest = _second(text[:19]), text[19:]
    if at < 0:
        return 0
    fraction = rest[1:-1]
    if rest[:1] == "." and rest[-1] == "Z" and fraction.isascii() and fraction.isdigit():
        return at + int(fraction[:9].ljust(9, "0"))
    match = _REST.fullmatch(rest) if len(rest) < 32 else None
    if match is None:
        return 0
    zone = match[2]
    if zone not in ("Z", "z"):
        away = (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60) * 1_000_000_000
        at += -away if zone[0] == "+" else away
    return max(at + int((match[1] or "0")[:9].ljust(9, "0")), 0)


@lru_cache(maxsize=4096)  # the events of a second share it
def _second(text: str) -> int:
    """The full second in ns; -1 where the text is no time since 1970."""
    try:
        parsed = datetime.strptime(text.replace(" ", "T", 1).upper(), "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return -1
    return calendar.timegm(parsed.timetuple()) * 1_000_000_000 if parsed.year >= 1970 else -1
