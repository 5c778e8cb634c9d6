"""Batches of events through the rules: hits, what hits are together, and alerts of both."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa  # type: ignore[import-untyped]

from martello.core.alert import Alert
from martello.practices.monitor.correlate import Correlator
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
        self._correlator = Correlator(pack)

    def feed(self, rows: pa.Table) -> tuple[Alert, ...]:
        """The alerts that a batch of one kind begins or changes."""
        if not rows.num_rows:
            return ()
        self._seen(rows)
        hits = detect(self.pack, rows)
        together = self._correlator.add(hits)
        return self._alerts([*hits, *together])

    def end(self) -> tuple[Alert, ...]:
        """The alerts of what waited for the events before it: none will come."""
        return self._alerts(self._correlator.flush())

    def _alerts(self, hits: list[Hit]) -> tuple[Alert, ...]:
        self.hits.update(hit.rule for hit in hits)
        silent = self._correlator.silent
        return self._grouping.add(hit for hit in hits if hit.rule not in silent)

    def _seen(self, rows: pa.Table) -> None:
        import pyarrow.compute as pc  # type: ignore[import-untyped]

        self.events[rows["kind"][0].as_py()] += rows.num_rows
        span = pc.min_max(rows["time"].cast(pa.int64()))
        first, last = span["min"].as_py(), span["max"].as_py()
        if first:
            self.first = min(self.first or first, first)
            self.last = max(self.last, last)
            self._correlator.seen(rows["source"][0].as_py() or "", last)
