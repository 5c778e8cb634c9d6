"""Logs that were written before, of any source, as tables of events in the order of their files.

Which source a file is of is told by its first line where nobody says it.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters import batch
from martello.adapters.audit.batches import AuditBatches
from martello.adapters.audit.columns import Origin
from martello.adapters.audit.files import STDIN, AuditReading, read_audit
from martello.adapters.flows.lines import shown
from martello.adapters.sensors import auditd, cri, events, falco, hubble, ndjson, tetragon
from martello.adapters.sensors.pods import Pods
from martello.adapters.sensors.shape import Event, Place
from martello.adapters.tarheader import TarTrouble
from martello.core.errors import BadInput
from martello.core.event import KINDS, Gap

AUTO: Final = "auto"
SOURCES: Final = ("audit", "falco", "tetragon", "hubble", "cri", "auditd", "ndjson", "events")
_ROWS: Final = 5_000  # events of a batch
_HEAD: Final = 1 << 16  # bytes that tell a source
_MOST_GAPS: Final = 1_000
_AUDITD: Final = re.compile(rb"(?:node=\S+ )?type=[A-Z_]+ (?:msg=)?audit\(")
_CRI: Final = re.compile(rb"\d{4}-\d\d-\d\dT\S+ std(?:out|err) [PF](?:[ :]|$)")
_decode: Final = msgspec.json.Decoder().decode


def source_of(head: bytes) -> str:
    """The source whose lines begin like this; audit where nothing tells: its reader knows most."""
    line = head.lstrip().partition(b"\n")[0]
    if _AUDITD.match(line):
        return "auditd"
    if _CRI.match(line):
        return "cri"
    try:
        told = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "audit"
    return _of_object(told) if isinstance(told, dict) else "audit"


def _of_object(told: dict[str, Any]) -> str:
    if "auditID" in told:
        return "audit"
    if told.get("kind") in KINDS and "time" in told:
        return "ndjson"
    if "rule" in told and "output" in told and "priority" in told:
        return "falco"
    if "flow" in told or "lost_events" in told or ("verdict" in told and "IP" in told):
        return "hubble"
    if any(key.startswith("process_") for key in told) or "rate_limit_info" in told:
        return "tetragon"
    if "log" in told and told.get("stream") in ("stdout", "stderr"):
        return "cri"
    inner = told.get("object") if "type" in told else told
    items = told.get("items")
    if isinstance(items, list) and items:
        inner = items[0]
    if isinstance(inner, dict) and ("involvedObject" in inner or "regarding" in inner):
        return "events"
    return "audit"


class Archive:
    """The events of one argument (a file, a directory, a pattern, `-`) as tables of one kind each.
    The gaps are right once it has been walked. `key` covers secrets.
    """

    def __init__(
        self, name: str, source: str, key: bytes, place: Place, stdin: BinaryIO | None = None
    ) -> None:
        self._stdin = stdin or getattr(sys.stdin, "buffer", None)
        reading = read_audit([name], stdin=self._stdin)
        self.files = reading.files
        self.source = self._told(reading) if source == AUTO else source
        self.gaps: tuple[Gap, ...] = ()  # the first thousand
        self.gap_count = 0
        self._key = key
        self._place = place

    def _told(self, reading: AuditReading) -> str:
        """What the first file that holds something looks like."""
        for path in self.files:
            if path == STDIN:
                peek = getattr(self._stdin, "peek", None)
                head = peek(_HEAD) if peek is not None else b""
            else:
                head = next((part for part in reading.parts(path) if part.strip()), b"")
            if head.strip():
                return source_of(head[:_HEAD] if b"\n" in head[:_HEAD] else head)
        return "audit"

    def __iter__(self) -> Iterator[pa.Table]:
        """Raises BadInput where a file cannot be read or none holds an event; NotPermitted."""
        if self.source == "audit":
            origin = Origin(self._key, self._place.cluster)
            rows = AuditBatches(self.files, origin, self._stdin)
            yield from rows
            self.gaps, self.gap_count = rows.gaps, rows.gap_count
            return
        count = 0
        for tables in self._batches():
            for rows in tables.values():
                count += rows.num_rows
                yield rows
        if not count and self.gaps:
            gap = self.gaps[0]
            raise BadInput(f"{gap.where}: no event of {self.source}", f"{gap.why}")

    def _batches(self) -> Iterator[dict[str, pa.Table]]:
        held: dict[str, list[Event]] = {}
        size = 0
        for path in self.files:
            for one in self._events(path):
                if isinstance(one, Gap):
                    self._gap(one)
                    continue
                held.setdefault(one["kind"], []).append(one)
                size += 1
                if size >= _ROWS:
                    yield {kind: batch.table(kind, each) for kind, each in held.items()}
                    held, size = {}, 0
        yield {kind: batch.table(kind, each) for kind, each in held.items()}

    def _events(self, path: str) -> Iterator[Event | Gap]:
        name = "stdin" if path == STDIN else shown(path)
        seen = time.time_ns()
        parts = self._parts(path, name)
        if self.source == "cri":
            yield from cri.Log(path, self._place, Pods()).read(parts, seen)
        else:
            yield from _READERS[self.source](parts, name, seen, self._place)

    def _parts(self, path: str, name: str) -> Iterator[bytes]:
        """The unpacked bytes; a document over many lines as one line."""
        parts = AuditReading([path], self._stdin).parts(path)
        if self.source == "events":
            parts = _one_line(parts)
        try:
            yield from parts
        except TarTrouble as error:
            self._gap(Gap(name, 0, 0, f"the file is cut or damaged: {error}"))

    def _gap(self, gap: Gap) -> None:
        self.gap_count += 1
        if len(self.gaps) < _MOST_GAPS:
            self.gaps += (gap,)


def _one_line(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What `kubectl get events -o json` writes over many lines, as lines that readers know."""
    first = next(parts, b"")
    if first.lstrip().startswith(b"{") and b"\n" in first:
        line = first.lstrip().partition(b"\n")[0]
        try:
            _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            whole = b"".join((first, *parts))
            try:
                told = _decode(whole)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield whole
                return
            items = told.get("items") if isinstance(told, dict) else None
            each: Sequence[Any] = items if isinstance(items, list) else [told]
            for one in each:
                yield msgspec.json.encode(one) + b"\n"
            return
    yield first
    yield from parts


Read = Callable[[Iterable[bytes], str, int, Place], Iterator[Event | Gap]]
_READERS: Final[dict[str, Read]] = {
    "falco": falco.read,
    "tetragon": lambda parts, where, seen, place: tetragon.Reader(place).read(parts, where, seen),
    "hubble": hubble.read,
    "auditd": lambda parts, where, seen, place: auditd.Reader(place).read(parts, where, seen),
    "ndjson": ndjson.read,
    "events": events.read,
}
