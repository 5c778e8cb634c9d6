"""Audit events in bulk: the bytes of a log or of a webhook's request as one Arrow table, whose rows
are just what `columns.py` makes of each event.

Plain events (`plain.py`) become columns at once; every other event, and each one with a body, which
is what a client sent, takes the scalar reader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.adapters.audit.columns import AHEAD, FIRST, POD, Origin
from martello.adapters.audit.columns import read as read_one
from martello.adapters.audit.event import NotAnEvent
from martello.adapters.audit.plain import NO_OBJECT, NO_STATUS, NOBODY, WRONG, Event, plain

CHUNK: Final = 200  # events decoded at a time: what is soon freed stays in the cache
_DECISION: Final = "authorization.k8s.io/decision"
_GRANT: Final = "authorization.k8s.io/reason"
_TIME: Final = pa.timestamp("ns", "UTC")
_LIKE_TIME: Final = "____-__-__T__:__:__%Z"


class _List(msgspec.Struct):
    items: list[msgspec.Raw]
    kind: str = ""


_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_list: Final = msgspec.json.Decoder(_List).decode
_array: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Fault(msgspec.Struct, frozen=True):
    """A document that is no event: its number (from 0; each element of a list is one) and why."""

    document: int
    why: str


class Batch(msgspec.Struct, frozen=True):
    """What some bytes hold: the events as a table of kind audit, in their order, and what is none.
    `plain` of the rows needed no scalar reader.
    """

    rows: pa.Table
    faults: tuple[Fault, ...] = ()
    plain: int = 0


class Bulk:
    """Reads batch after batch; holds nothing."""

    def __init__(self, threads: int = 1) -> None:
        del threads

    def read(self, data: bytes, origin: Origin) -> Batch:
        """As the function does."""
        return read(data, origin)

    def close(self) -> None:
        """Nothing is held."""


def read(data: bytes, origin: Origin) -> Batch:
    """The events of bytes: one JSON document a line, an EventList or an array. Nothing in them is
    an error: what is no event is a fault.
    """
    texts = _documents(data)
    sure: list[int] = []
    parts: list[list[pa.Array]] = []
    for begin in range(0, len(texts), CHUNK):
        decoded = plain(texts[begin : begin + CHUNK])
        kept = [begin + at for at, one in enumerate(decoded) if one is not None]
        found = [one for one in decoded if one is not None]
        parts.append(_arrays(found, [texts[at] for at in kept], origin.cluster))
        sure += kept
    if not sure:
        return _with_slow(batch.table("audit", ()), [], texts, origin)
    rows = _completed(
        dict(zip(_MADE, map(pa.chunked_array, zip(*parts, strict=True)), strict=True)), origin
    )
    fit = _timely(rows, origin)
    if fit is not None:
        sure = [at for at, fits in zip(sure, fit.to_pylist(), strict=True) if fits]
        rows = rows.filter(fit)
    return _with_slow(rows, sure, texts, origin)


def _documents(data: bytes) -> list[bytes]:
    """The JSON documents of some bytes."""
    text = data.strip()
    if not text:
        return []
    try:
        if text[:1] == b"[":
            return [bytes(one) for one in _array(text)]
        found = _list(text)
    except WRONG:
        pass
    else:
        return [bytes(one) for one in found.items] if found.kind.endswith("List") else [text]
    lines = text.split(b"\n")
    if b"" in lines:
        lines = [line for line in lines if line]
    return lines if len(lines) < 2 or any(map(_whole, lines)) else [text]


def _whole(line: bytes) -> bool:
    """Whether a line is a document of its own, and no part of one that is written over lines."""
    try:
        _raw.decode(line)
    except WRONG:
        return False
    return line.lstrip()[:1] in (b"{", b"[")


_MADE: Final = (
    "id",
    "action",
    "raw",
    "time",
    "seen",
    "k8s_ns",
    "k8s_group",
    "k8s_resource",
    "k8s_subresource",
    "k8s_name",
    "k8s_uid",
    "actor_user",
    "actor_uid",
    "actor_as",
    "actor_agent",
    "actor_pod",
    "actor_groups",
    "actor_as_groups",
    "actor_ips",
    "api_id",
    "api_stage",
    "api_level",
    "api_uri",
    "api_reason",
    "api_decision",
    "api_grant",
    "api_code",
    "api_annotations",
)
_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(_TEXT)
_MAP: Final = pa.map_(_TEXT, _TEXT)


def _arrays(events: Sequence[Event], texts: Sequence[bytes], cluster: str) -> list[pa.Array]:
    """The columns `_MADE` of such events; `time` and `seen` are its two times still as texts."""
    users = [one.user or NOBODY for one in events]
    acting = [one.impersonatedUser or NOBODY for one in events]
    about = [one.objectRef or NO_OBJECT for one in events]
    status = [one.responseStatus or NO_STATUS for one in events]
    notes = [one.annotations or {} for one in events]
    stages = [one.stage or "ResponseComplete" for one in events]
    ids = [one.auditID for one in events]
    pairs = zip(ids, stages, strict=True)
    texts_of = (
        [_hash(f"{cluster}\0{one}\0{stage}") for one, stage in pairs],
        [one.verb for one in events],
        texts,
        [one.stageTimestamp or None for one in events],
        [one.requestReceivedTimestamp or None for one in events],
        [one.namespace or None for one in about],
        [one.apiGroup or _group(one.apiVersion) for one in about],
        [one.resource or None for one in about],
        [one.subresource or None for one in about],
        [one.name or None for one in about],
        [one.uid or None for one in about],
        [one.username or None for one in users],
        [one.uid or None for one in users],
        [one.username or None for one in acting],
        [one.userAgent or None for one in events],
        [_pod(one.extra) for one in users],
    )
    lists = (
        [one.groups or None for one in users],
        [one.groups or None for one in acting],
        [one.sourceIPs or None for one in events],
    )
    more = (
        ids,
        stages,
        [one.level or None for one in events],
        [one.requestURI or None for one in events],
        [one.reason or None for one in status],
        [one.get(_DECISION) or None for one in notes],
        [one.get(_GRANT) or None for one in notes],
    )
    return [
        *(pa.array(values, _TEXT) for values in texts_of),
        *(pa.array(values, _TEXTS) for values in lists),
        *(pa.array(values, _TEXT) for values in more),
        pa.array([one.code or None for one in status], pa.int64()),
        pa.array([list(one.items()) or None for one in notes], _MAP),
    ]


def _group(version: str | None) -> str | None:
    """The group that v1alpha1 wrote before the version."""
    return version.partition("/")[0] or None if version and "/" in version else None


def _pod(extra: dict[str, list[str]] | None) -> str | None:
    names = extra.get(POD) if extra else None
    return names[0] or None if names else None


def _hash(text: str) -> str:
    """As `core.event.identity` tells events of one id of the API server's apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _times(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """RFC 3339 times in UTC; null where one is written in another way or is none."""
    like = pc.match_like(texts, _LIKE_TIME)
    if not pc.all(like, min_count=0).as_py():
        texts = pc.if_else(like, texts, pa.scalar(None, _TEXT))
    try:
        return texts.cast(_TIME).cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        values = [_time(text) for text in texts.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.timestamp("ns"))])


def _time(text: str | None) -> int | None:
    try:
        found = pa.scalar(text, _TEXT).cast(_TIME).value
    except pa.ArrowInvalid:
        return None
    return None if found is None else int(found)


def _completed(made: dict[str, Any], origin: Origin) -> pa.Table:
    """The rows with every column of their kind."""
    given, came = made["time"], made["seen"]
    staged, received = _times(given), _times(came)
    # One that cannot be read counts as none of its own: the scalar reader decides.
    wrong = pc.or_(
        pc.and_(pc.is_valid(given), pc.is_null(staged)),
        pc.and_(pc.is_valid(came), pc.is_null(received)),
    )
    time = pc.if_else(pc.is_valid(staged), staged, received)
    made["time"] = pc.if_else(wrong, pa.scalar(None, time.type), time)
    spent = pc.divide(pc.subtract(staged, received).cast(pa.int64()), 1_000_000)
    made["api_ms"] = pc.if_else(pc.less_equal(received, staged), spent, None)
    made["api_verb"], made["k8s_obj_name"] = made["action"], made["k8s_name"]
    pods = pc.and_(pc.equal(made["k8s_resource"], "pods"), pc.is_null(made["k8s_group"]))
    for name, source in (("pod_name", "k8s_name"), ("pod_uid", "k8s_uid")):
        made[name] = pc.if_else(pods, made[source], pa.scalar(None, _TEXT))
    told: dict[str, Any] = {
        "kind": "audit",
        "source": origin.source,
        "cluster": origin.cluster or None,
        "seen": origin.seen or None,
    }
    del made["seen"]
    size = len(time)
    wanted = batch.schema("audit")
    columns = [
        made[field.name]
        if field.name in made
        else pa.repeat(pa.scalar(told.get(field.name), field.type), size)
        for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)


def _timely(rows: pa.Table, origin: Origin) -> pa.ChunkedArray | None:
    """Which rows have a time that can be; None: all. The others are for the scalar reader."""
    time = rows["time"].cast(pa.int64())
    last = origin.seen + AHEAD if origin.seen else (1 << 63) - 1
    fits = pc.and_(pc.greater_equal(time, FIRST), pc.less_equal(time, last))
    return None if pc.all(pc.fill_null(fits, False)).as_py() else pc.fill_null(fits, False)


def _with_slow(
    rows: pa.Table, sure: Sequence[int], texts: Sequence[bytes], origin: Origin
) -> Batch:
    """The rows, and those of the scalar reader among them."""
    if len(sure) == len(texts):
        return Batch(rows.combine_chunks(), (), len(sure))
    events: list[dict[str, Any]] = []
    places: list[int] = []
    faults: list[Fault] = []
    for at in sorted({*range(len(texts))} - {*sure}):
        for found in read_one(texts[at], origin):
            if isinstance(found, NotAnEvent):
                faults.append(Fault(at, str(found)))
            else:
                events.append(found)
                places.append(at)
    if events:
        slow = batch.table("audit", events)
        order = pc.sort_indices(pa.array([*sure, *places], pa.int64()))
        rows = pa.concat_tables([rows, slow]).take(order) if sure else slow
    return Batch(rows, tuple(faults), len(sure))
