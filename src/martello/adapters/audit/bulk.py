"""Audit events in bulk: the bytes of a log or of a webhook's request as one Arrow table, whose rows
are just what `columns.py` makes of each event.

Plain events (`plain.py`) become columns at once, and so does what their bodies say where these hold
no secret; every other event takes the scalar reader.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from msgspec.structs import astuple

from martello.adapters import batch
from martello.adapters.audit.columns import AHEAD, FIRST, POD, Origin, of_bodies
from martello.adapters.audit.columns import read as read_one
from martello.adapters.audit.documents import documents
from martello.adapters.audit.event import NotAnEvent
from martello.adapters.audit.plain import (
    FIELDS,
    NO_BODY,
    NO_OBJECT,
    NO_STATUS,
    NOBODY,
    WRONG,
    Object,
    Told,
    plain,
    value,
)
from martello.adapters.audit.redact import holds_none, redacted
from martello.core.calm import calm

_DECISION: Final = "authorization.k8s.io/decision"
_GRANT: Final = "authorization.k8s.io/reason"
_TIME: Final = pa.timestamp("ns", "UTC")
_LIKE_TIME: Final = "____-__-__T__:__:__%Z"


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


def read(data: bytes, origin: Origin) -> Batch:
    """The events of bytes: one JSON document a line, an EventList or an array. Nothing in them is
    an error: what is no event is a fault.
    """
    with calm():
        return _read(data, origin)


def _read(data: bytes, origin: Origin) -> Batch:
    sure: list[int] = []  # the documents that are rows
    slow: dict[int, bytes] = {}
    parts: list[list[pa.Array]] = []
    named: list[str] = []  # by row: what its id is made of, but for the time
    bodies: dict[int, Raw | None] = {}  # by row
    begin = 0
    for texts in documents(data):
        numbers, told = plain(texts)
        if len(numbers) < len(texts):
            slow |= {begin + at: texts[at] for at in {*range(len(texts))} - {*numbers}}
        if numbers:
            kept = [texts[at] for at in numbers]
            for at, said in _bodies(told, origin):
                bodies[len(sure) + at] = said
                if said is None:
                    slow[begin + numbers[at]] = kept[at]
            parts.append(_arrays(told, kept))
            named += map(_name, told[_ID], told[_STAGE])
            sure += [begin + at for at in numbers]
        begin += len(texts)
    if not sure:
        return _with_slow(batch.table("audit", ()), [], slow, origin)
    made = dict(zip(_MADE, map(pa.chunked_array, zip(*parts, strict=True)), strict=True))
    rows = _completed(made, named, bodies, origin)
    fit = _fit(rows, bodies, origin)
    if fit is not None:
        late = [at for at, fits in zip(sure, fit, strict=True) if not fits and at not in slow]
        slow |= dict(zip(late, _chosen(data, late), strict=True))
        sure = [at for at, fits in zip(sure, fit, strict=True) if fits]
        rows = rows.filter(pa.array(fit))
    return _with_slow(rows, sure, slow, origin)


def _chosen(data: bytes, numbers: Sequence[int]) -> list[bytes]:
    """The documents of these numbers."""
    wanted = {*numbers}
    return [one for at, one in enumerate(chain.from_iterable(documents(data))) if at in wanted]


_MADE: Final = (
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
_OBJECT: Final = Object.__struct_fields__
_USERNAME: Final = attrgetter("username")
_ABOUT, _REQUEST, _ANSWER = map(FIELDS.index, ("objectRef", "requestObject", "responseObject"))
_ID, _STAGE = map(FIELDS.index, ("auditID", "stage"))
Raw = dict[str, Any]


def _arrays(told: Told, texts: Sequence[bytes]) -> list[pa.Array]:
    """The columns `_MADE` of plain events; empty texts still stand in them, and `time` and `seen`
    are the two times as texts.
    """
    at = dict(zip(FIELDS, told, strict=True))
    users = [one or NOBODY for one in at["user"]]
    acting = [one or NOBODY for one in at["impersonatedUser"]]
    objects = [astuple(one or NO_OBJECT) for one in at["objectRef"]]
    about = dict(zip(_OBJECT, zip(*objects, strict=True), strict=True))
    status = [one or NO_STATUS for one in at["responseStatus"]]
    notes = [one or {} for one in at["annotations"]]
    stages = [one or "ResponseComplete" for one in at["stage"]]
    names, uids, groups, extras = zip(*map(astuple, users), strict=True)
    texts_of = (
        at["verb"],
        None,
        at["stageTimestamp"],
        at["requestReceivedTimestamp"],
        about["namespace"],
        list(map(_group, about["apiGroup"], about["apiVersion"])),
        about["resource"],
        about["subresource"],
        about["name"],
        about["uid"],
        names,
        uids,
        list(map(_USERNAME, acting)),
        at["userAgent"],
        list(map(_pod, extras)),
    )
    lists = (
        [one or None for one in groups],
        [one.groups or None for one in acting],
        [one or None for one in at["sourceIPs"]],
    )
    more = (
        at["auditID"],
        stages,
        at["level"],
        at["requestURI"],
        [one.reason for one in status],
        [one.get(_DECISION) for one in notes],
        [one.get(_GRANT) for one in notes],
    )
    return [
        *(_joined(texts) if values is None else pa.array(values, _TEXT) for values in texts_of),
        *(pa.array(values, _TEXTS) for values in lists),
        *(pa.array(values, _TEXT) for values in more),
        pa.array([one.code or None for one in status], pa.int64()),
        _maps(notes),
    ]


def _joined(texts: Sequence[bytes]) -> pa.Array:
    """Texts, which are UTF-8, as an array."""
    ends = np.fromiter(accumulate(map(len, texts), initial=0), np.int32, len(texts) + 1)
    return pa.StringArray.from_buffers(
        len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(texts))
    )


def _maps(notes: Sequence[dict[str, str]]) -> pa.Array:
    """An array of maps; the empty ones are null."""
    keys = pa.array(list(chain.from_iterable(notes)), _TEXT)
    values = pa.array(list(chain.from_iterable(map(dict.values, notes))), _TEXT)
    ends = list(accumulate(map(len, notes), initial=0))
    places = [end if one else None for end, one in zip(ends, notes, strict=False)]
    return pa.MapArray.from_arrays(pa.array([*places, ends[-1]], pa.int32()), keys, values)


def _bodies(told: Told, origin: Origin) -> Iterator[tuple[int, Raw | None]]:
    """What bodies say, by the number of the event; None where only the scalar reader can tell."""
    pairs = zip(told[_REQUEST], told[_ANSWER], strict=True)
    for at, (request, answer) in enumerate(pairs):
        if request is not NO_BODY or answer is not NO_BODY:
            yield at, _said(told[_ABOUT][at] or NO_OBJECT, request, answer, origin)


def _said(about: Object, request: msgspec.Raw, answer: msgspec.Raw, origin: Origin) -> Raw | None:
    group, resource = _group(about.apiGroup, about.apiVersion) or "", about.resource or ""
    try:
        asked, answered = value(request), value(answer)
        if not all(
            holds_none(resource, about.subresource or "", bytes(one)) for one in (request, answer)
        ):
            event = {
                "objectRef": {"resource": resource, "subresource": about.subresource},
                "requestObject": asked,
                "responseObject": answered,
            }
            if redacted(event, origin.key) != event:
                return None
        found, cut = of_bodies(group, resource, about.name or "", about.uid or "", asked, answered)
    except WRONG:
        return None
    return None if cut else found


def _group(group: str | None, version: str | None) -> str | None:
    """The group, which v1alpha1 wrote before the version."""
    if group:
        return group
    return version.partition("/")[0] or None if version and "/" in version else None


def _pod(extra: dict[str, list[str]] | None) -> str | None:
    names = extra.get(POD) if extra else None
    return names[0] or None if names else None


def _name(one: str | None, stage: str | None) -> str:
    return f"{one}\0{stage or 'ResponseComplete'}\0"


def _hashes(cluster: str, names: Iterable[str], times: Iterable[int]) -> list[str]:
    """As `core.event.identity` makes them."""
    begun, sha256 = f"{cluster}\0", hashlib.sha256
    return [
        sha256(f"{begun}{one}{time}".encode()).hexdigest()[:32]
        for one, time in zip(names, times, strict=True)
    ]


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


def _completed(
    made: dict[str, Any], named: list[str], bodies: dict[int, Raw | None], origin: Origin
) -> pa.Table:
    """The rows with every column of their kind."""
    made = {name: _filled(column) for name, column in made.items()}
    given, came = made["time"], made["seen"]
    staged, received = _times(given), _times(came)
    # One that cannot be read counts as none of its own: the scalar reader decides.
    wrong = pc.or_(
        pc.and_(pc.is_valid(given), pc.is_null(staged)),
        pc.and_(pc.is_valid(came), pc.is_null(received)),
    )
    time = pc.if_else(pc.is_valid(staged), staged, received)
    made["time"] = pc.if_else(wrong, pa.scalar(None, time.type), time)
    times = made["time"].cast(pa.int64()).to_pylist()
    made["id"] = pa.array(_hashes(origin.cluster, named, times), _TEXT)
    spent = pc.divide(pc.subtract(staged, received).cast(pa.int64()), 1_000_000)
    made["api_ms"] = pc.if_else(pc.less_equal(received, staged), spent, None)
    made["api_verb"], made["k8s_obj_name"] = made["action"], made["k8s_name"]
    pods = pc.and_(pc.equal(made["k8s_resource"], "pods"), pc.is_null(made["k8s_group"]))
    for name, source in (("pod_name", "k8s_name"), ("pod_uid", "k8s_uid")):
        made[name] = pc.if_else(pods, made[source], pa.scalar(None, _TEXT))
    _embodied(made, bodies, len(time))
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


def _filled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with null for each empty text."""
    if column.type != _TEXT or pc.min(pc.binary_length(column)).as_py() != 0:
        return column
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, _TEXT), column)


def _embodied(made: dict[str, Any], bodies: dict[int, Raw | None], size: int) -> None:
    """Puts what bodies say into the columns."""
    told = {row: said for row, said in bodies.items() if said}
    if not told:
        return
    places = np.full(size, -1, np.int64)
    places[list(told)] = np.arange(len(told))
    indices = pa.array(places, mask=places < 0)
    wanted = batch.schema("audit")
    for name in {name: None for said in told.values() for name in said}:
        values = pa.array([said.get(name) for said in told.values()], wanted.field(name).type)
        column = values.take(indices)
        made[name] = pc.coalesce(column, made[name]) if name in made else column


def _fit(rows: pa.Table, bodies: dict[int, Raw | None], origin: Origin) -> list[bool] | None:
    """Which rows have a time that can be, and bodies that are read; None: all. The others are for
    the scalar reader.
    """
    time = rows["time"].cast(pa.int64())
    last = origin.seen + AHEAD if origin.seen else (1 << 63) - 1
    fits = pc.and_(pc.greater_equal(time, FIRST), pc.less_equal(time, last))
    unsaid = [row for row, said in bodies.items() if said is None]
    if not unsaid and pc.all(pc.fill_null(fits, False)).as_py():
        return None
    told: list[bool] = pc.fill_null(fits, False).to_pylist()
    for row in unsaid:
        told[row] = False
    return told


def _with_slow(
    rows: pa.Table, sure: Sequence[int], slow: dict[int, bytes], origin: Origin
) -> Batch:
    """The rows, and those of the scalar reader among them."""
    if not slow:
        return Batch(rows.combine_chunks(), (), len(sure))
    events: list[Raw] = []
    places: list[int] = []
    faults: list[Fault] = []
    for at in sorted(slow):
        for found in read_one(slow[at], origin):
            if isinstance(found, NotAnEvent):
                faults.append(Fault(at, str(found)))
            else:
                events.append(found)
                places.append(at)
    if events:
        told = batch.table("audit", events)
        order = pc.sort_indices(pa.array([*sure, *places], pa.int64()))
        rows = pa.concat_tables([rows, told]).take(order) if sure else told
    return Batch(rows, tuple(faults), len(sure))
