"""Plain audit events: those without a body, whose types say all that their texts say.

An event is decoded into types and written again. Both are short calls, and prove much: whatever
the types do not hold (an unknown key, a key written twice, a null, a blank, an escape that need not
be) makes what is written shorter than what was read, and nothing makes it longer. Where both are
equally long, nothing was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from martello.adapters.audit.event import MOST_GROUPS

WRONG: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)


class _Part(msgspec.Struct, gc=False, omit_defaults=True):
    """Fields of any other name are left out, and found missing by the length."""


class User(_Part):
    """Who asks, or who is impersonated."""

    username: str | None = None
    uid: str | None = None
    groups: list[str] | None = None
    extra: dict[str, list[str]] | None = None


class Object(_Part):
    """What is asked about: objectRef."""

    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    apiGroup: str | None = None
    apiVersion: str | None = None
    resourceVersion: str | None = None
    subresource: str | None = None


class _Nothing(_Part):
    pass


class _Details(_Part):
    name: str | None = None
    group: str | None = None
    kind: str | None = None
    uid: str | None = None


class Status(_Part):
    """How it was answered: responseStatus."""

    metadata: _Nothing | None = None
    status: str | None = None
    message: str | None = None
    reason: str | None = None
    details: _Details | None = None
    code: int | None = None


class Event(_Part):
    """An event without a body, of audit.k8s.io."""

    kind: str | None = None
    apiVersion: str | None = None
    level: str | None = None
    auditID: str | None = None
    stage: str | None = None
    requestURI: str | None = None
    verb: str | None = None
    user: User | None = None
    impersonatedUser: User | None = None
    sourceIPs: list[str] | None = None
    userAgent: str | None = None
    objectRef: Object | None = None
    responseStatus: Status | None = None
    requestReceivedTimestamp: str | None = None
    stageTimestamp: str | None = None
    annotations: dict[str, str] | None = None


NOBODY: Final = User()
NO_OBJECT: Final = Object()
NO_STATUS: Final = Status()
_events: Final = msgspec.json.Decoder(Event)
_encode: Final = msgspec.json.Encoder().encode


def plain(texts: Sequence[bytes]) -> list[Event | None]:
    """The events whose types say all of their texts; None for the others."""
    found: Sequence[Event | None]
    try:
        found = _events.decode_lines(b"\n".join(texts))
    except WRONG:
        found = ()
    if len(found) != len(texts):  # a document may hold line ends
        found = [_one(text) for text in texts]
    return [
        one if one is not None and len(_encode(one)) == len(text) and _usual(one) else None
        for one, text in zip(found, texts, strict=True)
    ]


def _one(text: bytes) -> Event | None:
    try:
        return _events.decode(text)
    except WRONG:
        return None


def _usual(event: Event) -> bool:
    """Whether there is nothing about it that only the scalar reader minds."""
    user, uri = event.user, event.requestURI
    if not (event.verb and event.auditID and (user or event.objectRef)):
        return False
    if event.kind != "Event" and event.kind is not None:
        return False
    if uri and "?" in uri and ("container=" in uri or "token=" in uri.lower()):
        return False
    if user and user.groups and len(user.groups) > MOST_GROUPS:
        return False
    status = event.responseStatus
    if status and status.code is not None and not 0 <= status.code < 1000:
        return False
    acting = event.impersonatedUser
    return not (acting and acting.groups and len(acting.groups) > MOST_GROUPS)
