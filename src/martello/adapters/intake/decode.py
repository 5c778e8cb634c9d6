"""What arrived, as tables of events by kind. The same bytes give the same events, always.

A body is kept with the moment it came, since nothing else of it may tell, and one of a followed log
with its mark: where the reader was behind it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.adapters.audit import bulk
from martello.adapters.audit.columns import Origin
from martello.adapters.intake.mark import Mark, mark_of
from martello.adapters.sensors import auditd, cri, events, falco, hubble, ndjson, otlp
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Event, NotRead, Place, gap
from martello.adapters.sensors.tetragon import Reader as Tetragon
from martello.core.event import Gap

_TIME: Final = 8  # bytes before a body: when it came, ns UTC
_MARKED: Final = 1 << 63  # in it: a mark follows
_SIZE: Final = 2  # bytes of the length of a mark
_MOST_LOGS: Final = 10_000  # of containers, whose unfinished lines are remembered
COLUMNS: Final = "columns"  # events that are read already, one a line: our own sensor's
Tables = dict[str, pa.Table]
_event: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Kept(NamedTuple):
    """A body, when it came (ns UTC), and where the reader of its log was behind it."""

    body: bytes
    seen: int
    mark: bytes = b""


def framed(body: bytes, seen: int, mark: bytes = b"") -> bytes:
    """A body as it is kept."""
    if not mark:
        return seen.to_bytes(_TIME, "big") + body
    size = len(mark).to_bytes(_SIZE, "big")
    return b"".join(((seen | _MARKED).to_bytes(_TIME, "big"), size, mark, body))


def unframed(kept: bytes) -> Kept:
    """What was kept."""
    head = int.from_bytes(kept[:_TIME], "big")
    if not head & _MARKED:
        return Kept(kept[_TIME:], head)
    begin = _TIME + _SIZE
    end = begin + int.from_bytes(kept[_TIME:begin], "big")
    return Kept(kept[end:], head & ~_MARKED, kept[begin:end])


def lines(found: Iterable[Event]) -> bytes:
    """Events that are read already, to be kept."""
    return b"\n".join(msgspec.json.encode(one) for one in found)


class Decoder:
    """Reads bodies of sources. `key` covers secrets before anything else sees them."""

    def __init__(self, key: bytes, place: Place, pods: Pods | None = None) -> None:
        self.place = place
        self.pods = pods or Pods()
        self._key = key
        self._tetragon = Tetragon(place, self.pods)
        self._logs: OrderedDict[str, cri.Log] = OrderedDict()

    def fresh(self) -> Decoder:
        """Another one that knows the same, and remembers nothing of what this one has read."""
        return Decoder(self._key, self.place, self.pods)

    def tables(self, source: str, kept: Iterable[bytes]) -> Tables:
        """The events of bodies of one source (`audit`, `otlp`, `columns` …) by kind."""
        found: dict[str, list[Event]] = {}
        audit: list[pa.Table] = []
        for one in kept:
            body, seen, mark = unframed(one)
            if source == "audit":
                rows, gaps = self._audit(body, seen)
                audit.append(rows)
                told: Iterable[Event] = gaps
            else:
                told = self._read(source, body, seen, mark)
            for event in told:
                found.setdefault(event["kind"], []).append(event)
        tables = {kind: batch.table(kind, events) for kind, events in found.items()}
        if any(rows.num_rows for rows in audit):
            tables["audit"] = pa.concat_tables(audit) if len(audit) > 1 else audit[0]
        return tables

    def _audit(self, body: bytes, seen: int) -> tuple[pa.Table, list[Event]]:
        told = bulk.read(body, Origin(self._key, self.place.cluster, "audit", seen))
        if not told.faults:
            return told.rows, []
        why = "; ".join(sorted({fault.why for fault in told.faults})[:3])
        count = len(told.faults)
        return told.rows, [gap(self.place, "audit", "unread", seen, seen, why, count)]

    def _read(self, source: str, body: bytes, seen: int, mark: bytes) -> Iterator[Event]:
        place, pods = self.place, self.pods
        if source == COLUMNS:
            for line in body.split(b"\n"):
                if line:
                    yield _event(line)
            return
        try:
            if source.startswith("otlp"):
                yield from otlp.read(body, seen, place, pods, json="protobuf" not in source)
                return
            read: Iterator[Event | Gap]
            if source == "tetragon":
                read = self._tetragon.read([body], source, seen)
            elif source == "cri":
                read = self._log(mark_of(mark)).read([body], seen, ends=False)
            elif source == "auditd":
                read = auditd.Reader(place).read([body], source, seen)
            else:
                read = _READERS[source]([body], source, seen, place, pods)
            for one in read:
                if isinstance(one, Gap):
                    yield gap(place, source, "unread", seen, seen, one.why, 1)
                else:
                    yield one
        except NotRead as fault:
            yield gap(place, source, "unread", seen, seen, str(fault), 1)

    def _log(self, mark: Mark) -> cri.Log:
        """The log of a container: lines that it wrote in parts go on in the next body."""
        key = f"{mark.device}:{mark.inode}"
        log = self._logs.pop(key, None) or cri.Log(mark.path, self.place, self.pods)
        self._logs[key] = log
        if len(self._logs) > _MOST_LOGS:
            self._logs.popitem(last=False)
        return log


_READERS: Final[Mapping[str, Callable[..., Iterator[Event | Gap]]]] = {
    "ndjson": ndjson.read,
    "falco": falco.read,
    "events": events.read,
    "hubble": hubble.read,
}
