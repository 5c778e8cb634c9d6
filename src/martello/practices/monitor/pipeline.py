"""Batches of events through the rules: hits, what hits are together, and alerts of both."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa  # type: ignore[import-untyped]

from martello.core.alert import Alert
from martello.practices.monitor.detect import detect
from martello.practices.monitor.grouping import Grouping, Raise
from martello.practices.monitor.rule import Hit, Pack


class Pipeline:
    """One stream of batches. `hits` counts by rule; alerts are those that a batch begins or
    changes.
    """

    def __init__(self, pack: Pack, *, cluster: str = "", raised: Raise | None = None) -> None:
        self.pack = pack
        self.hits: Counter[str] = Counter()
        self.events: Counter[str] = Counter()  # by kind
        self.first = self.last = 0  # ns UTC of the events seen
        self._grouping = Grouping(pack, cluster=cluster, raised=raised)

    def feed(self, rows: pa.Table) -> tuple[Alert, ...]:
        """The alerts that a batch of one kind begins or changes."""
        if not rows.num_rows:
            return ()
        self._seen(rows)
        hits = detect(self.pack, rows)
        self.hits.update(hit.rule for hit in hits)
        return self._grouping.add(self._alerting(hits))

    def _alerting(self, hits: list[Hit]) -> list[Hit]:
        return hits

    def _seen(self, rows: pa.Table) -> None:
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        self.events[rows["kind"][0].as_py()] += rows.num_rows
        span = pc.min_max(rows["time"].cast(pa.int64()))
        first, last = span["min"].as_py(), span["max"].as_py()
        if first:
            self.first = min(self.first or first, first)
            self.last = max(self.last, last)
