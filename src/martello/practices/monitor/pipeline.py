"""Batches of events through the rules: hits, who is behind them, what they are together, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from martello.adapters.batch import events
from martello.core.alert import Alert
from martello.core.own import VERSION, Own
from martello.practices.monitor.alerts.acts import Acts
from martello.practices.monitor.alerts.attribute import RESOURCES, Authors
from martello.practices.monitor.alerts.correlate import Correlator
from martello.practices.monitor.alerts.grouping import Grouping, Raise
from martello.practices.monitor.alerts.trail import SESSIONS, Trail
from martello.practices.monitor.alerts.watermark import RECENT
from martello.practices.monitor.baseline import RULES, Baselines
from martello.practices.monitor.baseline import hits as novelties
from martello.practices.monitor.baseline.facts import MADE_OF
from martello.practices.monitor.engine.detect import detect
from martello.practices.monitor.engine.rule import Hit, Pack
from martello.practices.monitor.noise.exceptions import Exceptions

_ORIGIN: Final = "actor_origin"
_WRITES: Final = ("create", "update", "patch")
# Whose request it is
_NAMED: Final = ["api_id", "api_verb", "api_uri", "api_stage", "time", "api_ms"]
_MINUTE: Final = 60_000_000_000


class Pipeline:
    """One stream of batches. `hits` counts by rule, `silenced` what exceptions took away; alerts
    are those that a batch begins or changes. `clock` (ns) tells a stream that is live what time it
    is, so that what waits for earlier events does not wait for ever. Requests that `own` has named
    are counted by it, and not judged.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        cluster: str = "",
        raised: Raise | None = None,
        exceptions: Exceptions | None = None,
        baselines: Baselines | None = None,
        clock: Callable[[], int] | None = None,
        own: Own | None = None,
    ) -> None:
        self.pack = pack if baselines is None else Pack([*pack, *RULES])
        self.baselines = baselines
        self.hits: Counter[str] = Counter()
        self.silenced: Counter[str] = Counter()
        self.events: Counter[str] = Counter()  # by kind
        self.first = self.last = 0  # ns UTC of the events seen
        self.exceptions = exceptions or Exceptions((), pack)
        self._grouping = Grouping(self.pack, cluster=cluster, raised=raised)
        self._correlator = Correlator(pack)
        self._authors = Authors()
        self._trail = Trail()
        self._acts = Acts()
        self._clock = clock
        self._own = own
        self.own = 0  # events of requests of our own

    @property
    def dropped(self) -> int:
        """Open alerts that were let go for want of room."""
        return self._grouping.dropped

    @property
    def evicted(self) -> int:
        """Groups of correlations that were let go for want of room."""
        return self._correlator.evicted

    def feed(self, rows: pa.Table) -> tuple[Alert, ...]:
        """The alerts that a batch of one kind begins or changes."""
        if not rows.num_rows:
            return ()
        self._seen(rows)
        count = rows.num_rows
        rows = self._others(rows)
        self.own += count - rows.num_rows
        if not rows.num_rows:
            return ()
        amended = self._learn(rows) if rows["kind"][0].as_py() == "audit" else []
        hits = [self._told(hit) for hit in self._hits(rows)]
        hits += [self._told(hit) for hit in self._new(rows)]
        alerts = self._alerts([*hits, *self._correlator.add(hits, self._now())])
        self._wait(alerts, hits)
        return (*amended, *alerts)

    def resume(self, alerts: Iterable[Alert]) -> None:
        """Goes on with the alerts of an earlier run; `resumed` ends what it had judged already."""
        self._grouping.resume(alerts)

    def resumed(self) -> None:
        """What comes from now on was never judged."""
        self._grouping.resumed()

    def warm(self, rows: pa.Table) -> None:
        """Takes events that an earlier run has told of: correlations, sessions, who wrote what and
        where nothing is to be learned go on from them. Nothing is told, counted or learned.
        """
        rows = self._others(rows)
        if not rows.num_rows:
            return
        if rows["kind"][0].as_py() == "audit":
            self._learn(rows)
        hits = [self._told(hit) for hit in self._hits(rows)]
        self._correlator.seen(*_came(rows))
        for hit in (*hits, *self._correlator.add(hits, self._now())):
            if hit.rule not in self._correlator.silent:
                self._open_on(hit)

    def tick(self) -> tuple[Alert, ...]:
        """What is settled by the time alone: nothing has come for a while."""
        if self._clock is None:
            return ()
        now = self._clock()
        self._correlator.seen("", (now,), now)
        return self._alerts(self._correlator.add(()))

    def end(self) -> tuple[Alert, ...]:
        """The alerts of what waited for the events before it: none will come."""
        return self._alerts(self._correlator.flush())

    def _hits(self, rows: pa.Table) -> list[Hit]:
        """What the rules find, once for each request that the log tells of by stages."""
        return list(filter(self._acts.first, detect(self.pack, rows)))

    def _alerts(self, hits: Iterable[Hit]) -> tuple[Alert, ...]:
        kept: list[Hit] = []
        for hit in hits:
            self.hits[hit.rule] += 1
            if hit.rule not in self._correlator.silent:
                kept.append(hit)
                self._open_on(hit)
        return self._grouping.add(kept, self._silenced)

    def _open_on(self, hit: Hit) -> None:
        """What a rule finds that is never learned is not normal, nor what is first seen after it. A
        part of a correlation alone, such as a token that is read, tells nobody of anything.
        """
        if self.baselines is not None and self.pack.rules[hit.rule].learn == "never":
            self.baselines.alerted(hit.event)

    def _silenced(self, hit: Hit) -> bool:
        found = self.exceptions.silences(hit) is not None
        if found:
            self.silenced[hit.rule] += 1
        return found

    def _new(self, rows: pa.Table) -> list[Hit]:
        """What is new for whom it happened."""
        kind = rows["kind"][0].as_py()
        if self.baselines is None:
            return []
        if kind == "gap":
            for one in events(rows.select(["source", "time", "seen"])):
                begin = one.get("time") or 0
                self.baselines.missed(one.get("source") or "", begin, one.get("seen") or begin)
        if kind not in MADE_OF:
            return []
        return novelties(self.baselines.observe(events(distinct(rows, MADE_OF[kind]))))

    def _learn(self, rows: pa.Table) -> list[Alert]:
        """Remembers writes of workloads and sessions in pods. Gives the alerts whose actor is known
        now.
        """
        about = pc.is_in(rows["k8s_resource"], pa.array(sorted(RESOURCES)))
        writes = pc.is_in(rows["api_verb"], pa.array(_WRITES))
        sessions = pc.is_in(rows["k8s_subresource"], pa.array(sorted(SESSIONS)))
        chosen = rows.filter(pc.and_(about, pc.or_(writes, sessions)))
        found: list[Alert] = []
        for event in events(chosen) if chosen.num_rows else ():
            if event.get("k8s_subresource") in SESSIONS:
                for alert, session in self._trail.note(event):
                    which, _, of = alert.partition(" ")
                    again = self._grouping.amended(which, of, {_ORIGIN: session.user})
                    found += [again] if again is not None else []
            elif event.get("api_verb") != "get":
                self._authors.note(event)
        return found

    def _told(self, hit: Hit) -> Hit:
        """A hit with who is behind it, where that is known."""
        event = hit.event
        if event.get("kind") == "audit":
            origin = self._authors.of(event)
            if origin is None:
                return hit
            flags = [*(event.get("flags") or ()), *(["guessed"] if origin.guessed else [])]
            more: dict[str, Any] = {_ORIGIN: origin.user, "pod_workload": origin.workload}
            return Hit(hit.rule, {**event, **more, "flags": flags or None}, hit.true)
        session = self._trail.behind(event)
        if session is None:
            return hit
        return Hit(hit.rule, {**event, _ORIGIN: session.user}, hit.true)

    def _wait(self, alerts: Iterable[Alert], hits: Iterable[Hit]) -> None:
        """Events of processes that came from outside wait for the log to tell of whom."""
        told = {(one.rule, event.event): one.id for one in alerts for event in one.evidence}
        for hit in hits:
            event = hit.event
            alert = told.get((hit.rule, str(event.get("id", ""))))
            if alert is not None and event.get("kind") != "audit" and not event.get(_ORIGIN):
                self._trail.wait(event, f"{alert} {event.get('id', '')}")

    def _others(self, rows: pa.Table) -> pa.Table:
        """The rows that are of no request of our own."""
        if self._own is None or rows["kind"][0].as_py() != "audit":
            return rows
        marked = pc.equal(pc.utf8_slice_codeunits(rows["api_id"], 14, 15), VERSION)
        some = pc.indices_nonzero(pc.fill_null(marked, False))
        asked = rows.select(_NAMED).take(some) if len(some) else None
        made = [self._own.made(*_named(one)) for one in events(asked)] if asked is not None else []
        ours = [at for at, own in zip(some.to_pylist(), made, strict=True) if own]
        if not ours:
            return rows
        others = np.ones(rows.num_rows, dtype=bool)
        others[ours] = False
        return rows.filter(pa.array(others))

    def _seen(self, rows: pa.Table) -> None:
        self.events[rows["kind"][0].as_py()] += rows.num_rows
        span = pc.min_max(rows["time"].cast(pa.int64()))
        first, last = span["min"].as_py(), span["max"].as_py()
        if first:
            self.first = min(self.first or first, first)
            self.last = max(self.last, last)
        self._correlator.seen(*_came(rows), self._now())

    def _now(self) -> int:
        """The time of a stream that is live, in ns; 0: it is read again."""
        return self._clock() if self._clock is not None else 0


def _came(rows: pa.Table) -> tuple[str, list[int]]:
    """The source of a batch and the times of its last events."""
    last = rows.slice(max(0, rows.num_rows - RECENT), RECENT)
    times = last["time"].cast(pa.int64()).to_pylist()
    return rows["source"][0].as_py() or "", [one for one in times if one]


def _named(event: Mapping[str, Any]) -> tuple[str, str, str, str, int, float]:
    name, verb, uri, stage = (event.get(one) or "" for one in _NAMED[:4])
    return name, verb, uri, stage, event.get("time") or 0, (event.get("api_ms") or 0) / 1000


def distinct(rows: pa.Table, names: Iterable[str]) -> pa.Table:
    """The first row of those that agree in some columns within a minute."""
    told = [name for name in names if name in rows.column_names]
    frame = pl.DataFrame(rows.select([*told, "time"])).with_columns(
        pl.col("time").cast(pl.Int64) // _MINUTE
    )
    lists = [name for name in told if isinstance(frame.schema[name], pl.List)]
    if lists:
        frame = frame.with_columns(pl.col(lists).list.join(" "))
    first = frame.with_row_index("row at").unique([*told, "time"], keep="first")
    return rows.take(first["row at"].sort().to_arrow())
