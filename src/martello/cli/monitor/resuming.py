"""A daemon that starts again goes on: with its alerts, and with the last hour of what was kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]

from martello.adapters.batch import typed
from martello.cli.monitor.merging import merged
from martello.core.alert import CLOSED, Alert
from martello.practices.monitor.engine.rule import Pack
from martello.practices.monitor.pipeline import Pipeline
from martello.store import segments
from martello.store.history import History
from martello.store.lake import Lake, Segment
from martello.store.outbox import Outbox
from martello.store.state import State

LONGEST: Final = 3_600  # seconds of the lake
MOST: Final = 64 << 20  # bytes of its files
_ALERTS: Final = 86_400  # seconds
_MOST_ALERTS: Final = 100_000
_SECOND: Final = 1_000_000


def open_alerts(state: State) -> list[Alert]:
    """The alerts that may still grow."""
    since = time.time_ns() // 1000 - _ALERTS * _SECOND
    found = Outbox(state).alerts(since, most=_MOST_ALERTS)
    return [one for one in found if one.state != CLOSED]


def warm(pipeline: Pipeline, state: State, lake: Lake, cluster: str) -> int:
    """Feeds the last of the lake to a pipeline, in the order of time and without telling: as far
    back as a correlation looks, an hour at most, and no more than is read in some seconds. How many
    events. Files that are missing are left out: `store verify` names them.
    """
    until = time.time_ns() // 1000
    since = until - window(pipeline.pack) * _SECOND
    known = segments.find(state, clusters=[cluster], since=since)
    since = max(since, _bounded(known))
    history = History(state, lake, (), since, until, [cluster], raw=True)
    streams = [_one(rows) for rows in history if rows["kind"][0].as_py() != "gap"]
    for rows in merged(streams):
        pipeline.warm(rows)
    return history.events


def window(pack: Pack) -> int:
    """Seconds that a pack looks back, at least ten minutes: sessions, and who wrote what."""
    spans = [one.correlate.within for one in pack if one.correlate is not None]
    return min(LONGEST, max([600, *(2 * one for one in spans)]))


def _bounded(known: tuple[Segment, ...]) -> int:
    """The moment behind which no more is kept than may be read."""
    size = 0
    for one in sorted(known, key=lambda each: -each.last_at):
        size += one.columns_size + one.raw_size
        if size > MOST:
            return one.last_at
    return 0


def _one(rows: pa.Table) -> Iterator[pa.Table]:
    yield typed(rows["kind"][0].as_py(), rows)
