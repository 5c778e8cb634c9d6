"""Plain audit events: those whose types say all that their texts say.

An event is decoded into types and written again. Both are short calls, and prove much: whatever
the types do not hold (an unknown key, a key written twice, a null, a blank, an escape that need not
be) makes what is written shorter than what was read, and nothing makes it longer. Where both are
equally long, nothing was left out. Go's encoder, which the API server uses, writes `<`, `>` and `&`
as escapes; where a text has no escaped backslash, just as many bytes as those take are allowed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any, Final

import msgspec
import numpy as np
from msgspec.structs import astuple

from martello.adapters.audit.event import MOST_GROUPS

WRONG: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)
NO_BODY: Final = msgspec.Raw()
# What Go's encoder escapes though it need not.
_ESCAPED: Final = {b"\\u0026": b"&", b"\\u003c": b"<", b"\\u003e": b">"}
_OPEN, _CLOSE = b"{}"
_BACKSLASH, _LONG, _ZERO = b"\\u0"
_CODES: Final = np.array([int.from_bytes(one[4:], "big") for one in _ESCAPED], np.int32)
_KINDS: Final = frozenset({"Event", None})


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
    """An event of audit.k8s.io, with its bodies as they are written."""

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
    requestObject: msgspec.Raw = NO_BODY
    responseObject: msgspec.Raw = NO_BODY


NOBODY: Final = User()
NO_OBJECT: Final = Object()
NO_STATUS: Final = Status()
FIELDS: Final = Event.__struct_fields__
_events: Final = msgspec.json.Decoder(Event)
_value: Final = msgspec.json.Decoder().decode
_encoder: Final = msgspec.json.Encoder()
_encode: Final = _encoder.encode


Told = list[tuple[Any, ...]]  # the values of each field of Event, in the order of the fields


def plain(texts: Sequence[bytes]) -> tuple[Sequence[int], Told]:
    """Which of the texts are plain events, and what these say, field by field. What bodies hold is
    not looked at: see `value`.
    """
    numbers, events = _proved(texts)
    told = list(zip(*map(astuple, events), strict=True))
    odd = _odd(told) if events else ()
    if odd:
        kept = [at not in odd for at in range(len(events))]
        numbers = tuple(compress(numbers, kept))
        told = [tuple(compress(values, kept)) for values in told]
    return numbers, told


def _proved(texts: Sequence[bytes]) -> tuple[Sequence[int], Sequence[Event]]:
    """The numbers of the texts that are events and nothing else, and these."""
    joined = b"\n".join(texts)
    found: Sequence[Event | None]
    try:
        found = events = _events.decode_lines(joined)
        # No document goes on over a line that ends in a brace into one that begins with one.
        single = len(events) == len(texts) and all(
            text[0] == _OPEN and text[-1] == _CLOSE for text in texts
        )
        if single and _says_all(_encoder.encode_lines(events)[:-1], joined):
            return range(len(events)), events
    except WRONG:
        single = False
    if not single:
        found = list(map(_one, texts))
    pairs = enumerate(zip(found, texts, strict=True))
    sure = [(at, one) for at, (one, text) in pairs if one and _says_all(_encode(one), text)]
    return [at for at, _ in sure], [one for _, one in sure]


def _one(text: bytes) -> Event | None:
    try:
        return _events.decode(text)
    except WRONG:
        return None


def _says_all(written: bytes, text: bytes) -> bool:
    """Whether types that are written so say all of a text."""
    if len(written) == len(text):
        return True
    escapes = _escapes(text)
    return escapes > 0 and len(written) - 5 * _escapes(written) == len(text) - 5 * escapes


def _escapes(text: bytes) -> int:
    """How many escapes of Go's a text has; none where there may be a backslash in a value, for that
    makes others look like them.
    """
    if b"\\u00" not in text:
        return 0
    letters = np.frombuffer(text, np.uint8)  # of JSON, so that what an escape takes is there
    places = np.flatnonzero(letters == _BACKSLASH)
    kinds = letters[places + 1]
    if (kinds == _BACKSLASH).any():
        return 0
    long = places[kinds == _LONG]
    if (letters[long + 2] != _ZERO).any() or (letters[long + 3] != _ZERO).any():
        return 0
    codes = letters[long + 4].astype(np.int32) << 8 | letters[long + 5]
    return len(long) if np.isin(codes, _CODES).all() else 0


def value(body: msgspec.Raw) -> Any:
    """What a body says; None where there is none. Raises one of WRONG where its value does not say
    all that is written.
    """
    text = bytes(body)
    if not text:
        return None
    found = _value(text)
    if _escapes(text):
        for escape, letter in _ESCAPED.items():
            text = text.replace(escape, letter)
    if _encode(found) != text:
        raise ValueError("the text says more than its value")
    return found


def _odd(told: Told) -> set[int]:
    """The numbers of events that have something which only the scalar reader minds."""
    at = dict(zip(FIELDS, told, strict=True))
    odd: set[int] = set()
    if not _KINDS.issuperset(at["kind"]):
        odd.update(n for n, kind in enumerate(at["kind"]) if kind not in _KINDS)
    for name in ("verb", "auditID"):
        if not all(at[name]):
            odd.update(n for n, text in enumerate(at[name]) if not text)
    if not all(at["user"]):
        who = enumerate(zip(at["user"], at["objectRef"], strict=True))
        odd.update(n for n, (user, about) in who if user is None and about is None)
    for name in ("user", "impersonatedUser"):
        if any(at[name]):
            users = enumerate(at[name])
            odd.update(n for n, u in users if u and u.groups and len(u.groups) > MOST_GROUPS)
    for n, status in enumerate(at["responseStatus"]):
        if status and (code := status.code) is not None and not 0 <= code < 1000:
            odd.add(n)
    asked = "\n".join(filter(None, at["requestURI"])).lower()
    if "container=" in asked or "token=" in asked:
        odd.update(n for n, uri in enumerate(at["requestURI"]) if uri and _tells(uri.lower()))
    return odd


def _tells(uri: str) -> bool:
    return "container=" in uri or "token=" in uri
