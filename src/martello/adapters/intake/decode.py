"""What arrived, as tables of events by kind. The same bytes give the same events, always.

A body is kept with the moment it came, since nothing else of it may tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.adapters.audit.bulk import Bulk
from martello.adapters.audit.columns import Origin
from martello.adapters.sensors import events, falco, hubble, ndjson, otlp
from martello.adapters.sensors.containers import Pods
from martello.adapters.sensors.shape import Event, NotRead, Place, gap
from martello.adapters.sensors.tetragon import Reader as Tetragon
from martello.core.event import Gap

_TIME: Final = 8  # bytes before a body: when it came, ns UTC
COLUMNS: Final = "columns"  # events that are read already, one a line: our own sensor's
Tables = dict[str, pa.Table]
_event: Final = msgspec.json.Decoder(dict[str, Any]).decode


def framed(body: bytes, seen: int) -> bytes:
    """A body as it is kept."""
    return seen.to_bytes(_TIME, "big") + body


def unframed(kept: bytes) -> tuple[bytes, int]:
    """A body and when it came."""
    return kept[_TIME:], int.from_bytes(kept[:_TIME], "big")


def lines(found: Iterable[Event]) -> bytes:
    """Events that are read already, to be kept."""
    return b"\n".join(msgspec.json.encode(one) for one in found)


class Decoder:
    """Reads bodies of sources. `key` covers secrets before anything else sees them."""

    def __init__(self, key: bytes, place: Place, pods: Pods | None = None) -> None:
        self.place = place
        self.pods = pods or Pods()
        self._key = key
        self._bulk = Bulk()
        self._tetragon = Tetragon(place, self.pods)

    def tables(self, source: str, kept: Iterable[bytes]) -> Tables:
        """The events of bodies of one source (`audit`, `otlp`, `columns` …) by kind."""
        found: dict[str, list[Event]] = {}
        audit: list[pa.Table] = []
        for one in kept:
            body, seen = unframed(one)
            if source == "audit":
                rows, gaps = self._audit(body, seen)
                audit.append(rows)
                told: Iterable[Event] = gaps
            else:
                told = self._read(source, body, seen)
            for event in told:
                found.setdefault(event["kind"], []).append(event)
        tables = {kind: batch.table(kind, events) for kind, events in found.items()}
        if any(rows.num_rows for rows in audit):
            tables["audit"] = pa.concat_tables(audit) if len(audit) > 1 else audit[0]
        return tables

    def _audit(self, body: bytes, seen: int) -> tuple[pa.Table, list[Event]]:
        told = self._bulk.read(body, Origin(self._key, self.place.cluster, "audit", seen))
        if not told.faults:
            return told.rows, []
        why = "; ".join(sorted({fault.why for fault in told.faults})[:3])
        count = len(told.faults)
        return told.rows, [gap(self.place, "audit", "unread", seen, seen, why, count)]

    def _read(self, source: str, body: bytes, seen: int) -> Iterator[Event]:
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
            if source == "tetragon":
                read: Iterator[Event | Gap] = self._tetragon.read([body], source, seen)
            else:
                read = _READERS[source]([body], source, seen, place, pods)
            for one in read:
                if isinstance(one, Gap):
                    yield gap(place, source, "unread", seen, seen, one.why, 1)
                else:
                    yield one
        except NotRead as fault:
            yield gap(place, source, "unread", seen, seen, str(fault), 1)


_READERS: Final[Mapping[str, Callable[..., Iterator[Event | Gap]]]] = {
    "ndjson": lambda parts, where, seen, place, pods: ndjson.read(parts, where, seen, place),
    "falco": falco.read,
    "events": events.read,
    "hubble": hubble.read,
}
