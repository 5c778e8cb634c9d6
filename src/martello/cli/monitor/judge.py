"""What arrived is judged within a moment and told: alerts go into the outbox first."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from martello.adapters.intake.decode import Decoder, unframed
from martello.adapters.intake.mark import mark_of, merged
from martello.cli.monitor.arrived import Judged, Waiting
from martello.cli.monitor.jobs import Jobs
from martello.cli.monitor.keeping import Keeper
from martello.cli.monitor.missing import said
from martello.cli.monitor.writing import SEGMENT, joined
from martello.core.alert import Alert
from martello.core.errors import MartelloError
from martello.practices.monitor.pipeline import Pipeline
from martello.store.frames import Frame
from martello.store.outbox import Outbox

_IDLE: Final = 0.25  # seconds that the judge sleeps where nobody wakes it
_PIECE: Final = 8 << 20  # bytes that are judged at once
_TICK: Final = 1.0


class Judge:
    """The one thread that judges. `warm` reads the history first."""

    def __init__(
        self,
        keeper: Keeper,
        waiting: Waiting,
        decoder: Decoder,
        pipeline: Pipeline,
        outbox: Outbox,
        jobs: Jobs,
        *,
        route: Callable[[Alert], Sequence[str]],
        told: Callable[[Alert], None],
        clock: Callable[[], int],
        warm: Callable[[], None],
    ) -> None:
        self.pipeline = pipeline
        self.outbox = outbox
        self.events: Counter[tuple[str, str]] = Counter()  # by kind and source
        self.alerts: Counter[str] = Counter()  # by severity: those that began
        self.lag = 0.0  # seconds between arrival and judgement, of the last that was judged
        self.lock = threading.Lock()  # held while the pipeline works
        self.full = threading.Event()  # set when enough waits for the lake
        self._keeper = keeper
        self._waiting = waiting
        self._decoder = decoder
        self._jobs = jobs
        self._route = route
        self._told = told
        self._clock = clock
        self._warm = warm
        self._recovering: dict[str, int] = {}  # by source: where an earlier run had ended
        self._owed: dict[str, Alert] = {}  # told, and not in the outbox

    def recover(self) -> None:
        """Notes what an earlier run had kept and not judged: before anything new comes."""
        for key in self._keeper.spool.sources():
            if self._keeper.spool.end(key) > self._keeper.judged[key]:
                self._recovering[key] = self._keeper.spool.end(key)

    def run(self) -> None:
        """Judges what comes, until everything ends."""
        try:
            with self.lock:
                self._warm()
        except Exception as error:
            self._jobs.troubled("history", f"the history cannot be read: {said(error)}")
        if not self._recovering:
            self.pipeline.resumed()
        ticked = time.monotonic()
        while not self._jobs.ending.is_set():
            self._keeper.work.wait(_IDLE)
            self._keeper.work.clear()
            try:
                self.judge()
                if time.monotonic() - ticked >= _TICK:
                    ticked = time.monotonic()
                    self.tell(self.pipeline.tick())
                self._jobs.troubled("judge")
            except Exception as error:
                self._jobs.troubled("judge", f"judging: {said(error)}")
                self._jobs.ending.wait(_TICK)

    def judge(self) -> None:
        """Everything that came since the last time."""
        more = True
        while more:
            more = False
            for key, body in self._keeper.unkept.take():
                self.tell(self._alerts(key, self._tables(key, [Frame(0, body)])))
            for key in self._keeper.spool.sources():
                frames = self._next(key)
                if frames:
                    more = True
                    self._run(key, frames)

    def _next(self, key: str) -> list[Frame]:
        position = self._keeper.judged.get(key)
        if position is None:
            return []
        frames = self._keeper.arrived.take(key, position, _PIECE)
        if frames or self._keeper.spool.end(key) <= position:
            self._keeper.arrived.patience(key, True)
            return frames
        if self._keeper.arrived.patience(key, False) or key in self._recovering:
            return self._keeper.spool.read(key, position, _PIECE)
        return []

    def _run(self, key: str, frames: list[Frame]) -> None:
        """Judges a run of frames of one source, and leaves it for the lake."""
        tables = self._tables(key, frames)
        again = [one for one in frames if (key, one.position) in self._keeper.again]
        fresh = tables
        if again:
            self._keeper.again -= {(key, one.position) for one in again}
            fresh = self._tables(key, [one for one in frames if one not in again])
        self.tell(self._alerts(key, fresh))
        last = frames[-1].position + 1
        told = unframed(frames[-1].body)
        self.lag = max(0.0, (self._clock() - told.seen) / 1e9)
        marks = [mark_of(found) for one in frames if (found := unframed(one.body).mark)]
        size = sum(len(one.body) for one in frames)
        run = Judged(frames[0].position, last, tables, size, tuple(merged(marks).values()))
        self._waiting.add(key, run)
        self._keeper.judged[key] = last
        if self._waiting.size >= SEGMENT:
            self.full.set()
        if self._recovering.get(key, last + 1) <= last:
            del self._recovering[key]
        if not self._recovering:
            self.pipeline.resumed()

    def _alerts(self, key: str, tables: dict[str, Any]) -> list[Alert]:
        found: dict[str, Alert] = {}
        source = key.split("/")[1]
        for kind in sorted(tables, key=lambda one: one != "audit"):  # who, before what
            self.events[kind, source] += tables[kind].num_rows
            try:
                with self.lock:
                    found.update((one.id, one) for one in self.pipeline.feed(tables[kind]))
            except MartelloError:
                raise
            except Exception as error:  # a fault of ours on what an attacker may have written
                self._fault(source, tables[kind].num_rows, error)
        return list(found.values())

    def _fault(self, source: str, events: int, error: Exception) -> None:
        """Something could not be judged: it is told, and the rest goes on."""
        why = f"{type(error).__name__} while {events:,} events were judged"
        self._keeper.missed(source, 0, why, "unread")

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Into the outbox, then told. Where the outbox takes nothing they are told, and owed."""
        fresh = list(alerts)
        for one in fresh:
            self._owed[one.id] = one
        if not self._owed:
            return
        routes: dict[tuple[str, ...], list[Alert]] = {}
        for one in self._owed.values():
            routes.setdefault(tuple(self._route(one)), []).append(one)
        try:
            for sinks, owed in routes.items():
                self.outbox.put(owed, sinks)
                for one in owed:
                    del self._owed[one.id]
            self._jobs.troubled("outbox")
        except MartelloError as error:
            self._jobs.troubled("outbox", f"alerts wait for the outbox: {said(error)}")
        for one in fresh:
            if one.revision == 1:
                self.alerts[one.severity] += 1
            self._show(one)

    def _show(self, alert: Alert) -> None:
        """Who watches need not be there: the outbox has the alert."""
        try:
            self._told(alert)
        except Exception as error:
            self._jobs.troubled("shown", f"alerts cannot be shown: {said(error)}")
        else:
            self._jobs.troubled("shown")

    def _tables(self, key: str, frames: Sequence[Frame]) -> dict[str, Any]:
        source = key.split("/")[1]
        try:
            return self._decoder.tables(source, [one.body for one in frames])
        except Exception as error:
            if len(frames) == 1:
                self._fault(source, 0, error)
                return {}
        parts = [self._tables(key, [one]) for one in frames]  # all but the one that is at fault
        return joined(parts)
