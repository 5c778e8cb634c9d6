"""The daemon: what arrives is kept, judged within a moment, told, and written into the lake.

    door, sensor, followed logs → spool → judge → alerts (outbox) → sinks
                                        ↘ lake

Nothing is lost where it is killed: what the spool has acknowledged and the lake has not is read
again at the next start, events and alerts have the same ids then, and the outbox knows which were
told. Where there is no room on the disk, what comes is judged and refused, and a gap is written.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.intake.decode import COLUMNS, Decoder, framed, lines, unframed
from martello.adapters.intake.mark import Mark, all_of, mark_of, merged
from martello.adapters.intake.shed import shed
from martello.adapters.sensors.shape import Place
from martello.cli.monitor import missing
from martello.cli.monitor.arrived import Arrived, Judged, Unkept, Waiting
from martello.cli.monitor.missing import said
from martello.cli.monitor.writing import SEGMENT, Writer, joined
from martello.core.alert import Alert
from martello.core.errors import MartelloError
from martello.core.sink import Sink
from martello.practices.monitor.pipeline import Pipeline
from martello.store.frames import Frame
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.segments import Name, parse_name
from martello.store.spool import Spool
from martello.store.state import State

FLUSH: Final = 60.0  # seconds between segments
RENEW: Final = 20.0
_IDLE: Final = 0.25  # seconds that the judge sleeps where nobody wakes it
_PIECE: Final = 8 << 20  # bytes that are judged at once
_TICK: Final = 1.0
_SCARCE: Final = 0.8  # of the room for what waits; then the least is let go


class Settings(msgspec.Struct, frozen=True):
    """How it runs. `cluster` and `node` name where it looks; `holder` is the same after a
    restart.
    """

    cluster: str
    node: str = ""
    flush: float = FLUSH
    sinks: tuple[str, ...] = ()
    holder: str = "daemon"


class Watch:
    """Threads around a spool. `start`, then `stop` once; `trouble` says what is wrong now."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        lake: Lake,
        spool: Spool,
        decoder: Decoder,
        pipeline: Pipeline,
        *,
        route: Callable[[Alert], Sequence[str]],
        told: Callable[[Alert], None] = lambda _: None,
        clock: Callable[[], int] = time.time_ns,
        warm: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.outbox = Outbox(state)
        self.spool = spool
        self.missing = missing.Missing()
        self.events: Counter[tuple[str, str]] = Counter()  # by kind and source
        self.alerts: Counter[str] = Counter()  # by severity: those that began
        self.heard: dict[str, int] = {}  # by source: when something came (ns)
        self.lag = 0.0  # seconds between arrival and judgement, of the last that was judged
        self._troubles: dict[str, str] = {}
        self._state = state
        self._lake = lake
        self._decoder = decoder
        self._route = route
        self._told = told
        self._clock = clock
        self._warm = warm
        self._intakes: dict[str, Intake] = {}
        self._judged: dict[str, int] = {}
        self._recovering: dict[str, int] = {}  # by source: where an earlier run had ended
        self._arrived, self._waiting, self._unkept = Arrived(), Waiting(), Unkept()
        self._writer = Writer(self._intakes, self._waiting, spool, decoder)
        self._again: set[tuple[str, int]] = set()  # kept now, judged before
        self._owed: dict[str, Alert] = {}  # told, and not in the outbox
        self._lock = threading.RLock()
        self.judging = threading.Lock()  # held while the pipeline works
        self._work = threading.Event()
        self._full = threading.Event()
        self.ending = threading.Event()  # set when everything ends
        self._threads: list[threading.Thread] = []
        self._stoppers: list[Callable[[], None]] = []

    @property
    def trouble(self) -> str:
        """What is wrong now; empty: nothing."""
        return "; ".join(dict.fromkeys(filter(None, self._troubles.values())))

    def troubled(self, name: str, what: str = "") -> None:
        """Something is wrong with a part, or no longer."""
        self._troubles[name] = what

    # -- what arrives

    def name(self, source: str, origin: str = "") -> Name:
        """How a source is called."""
        return Name(self.settings.cluster, source, origin or self.settings.node or "door")

    def keep(self, source: str, body: bytes, origin: str = "", mark: bytes = b"") -> int:
        """Keeps a body of a source (`audit`, `otlp`, `columns`); returns when it is on the disk.
        Raises MartelloError where it was not kept.
        """
        name = self.name(source, origin)
        now = self._clock()
        if source == "audit" and not mark and self.spool.size > _SCARCE * self.spool.limit:
            body, count = shed(body)
            if count:
                self.missed("audit", 0, "reads by parts of the cluster: room is scarce", "shed")
        kept = framed(body, now, mark)
        try:
            intake = self._intake(name)
            position = self.spool.append(name.key, kept)
        except MartelloError as error:
            self.troubled("spool", said(error))
            if not mark and self._unkept.add(name.key, kept, body):  # a log is read again
                self._work.set()
            raise
        self._troubles.pop("spool", None)
        if self._unkept.knows(name.key, body):
            self._again.add((name.key, position))
        self._arrived.add(intake.name.key, position, kept)
        self.heard[name.key] = now
        self._work.set()
        return position

    def missed(self, source: str, size: int, why: str, what: str = "refused") -> None:
        """Something of a source was not kept: a gap, as soon as there is room for one."""
        now = self._clock()
        self.missing.note(source, what, why, now, now, size)

    def write_gaps(self) -> None:
        """Writes down what is known to be missing. Raises MartelloError: it is tried again."""
        found = self.missing.take()
        if not found:
            return
        place = Place(self.settings.cluster, self.settings.node)
        try:
            self.keep(COLUMNS, lines(missing.events(found, place)))
        except MartelloError:
            self.missing.back(found)
            raise

    # -- life

    def start(self) -> None:
        """Begins with what an earlier run had kept and not finished."""
        for key in self.spool.sources():
            name = parse_name(key)
            self._intake(name)
            if self.spool.end(key) > self._judged[key]:
                self._recovering[key] = self.spool.end(key)
        for one in self.spool.gaps():
            self.missed("spool", one.size, one.why, "lost")
        self.thread(self._judging, "judge")
        self.thread(self._writing, "lake")
        self.run(self.write_gaps, "gaps", _TICK)

    def run(self, job: Callable[[], None], name: str, every: float) -> None:
        """Does something again and again; what it raises is told as trouble."""

        def again() -> None:
            while not self.ending.wait(every):
                try:
                    job()
                    self._troubles.pop(name, None)
                except Exception as error:  # told at /readyz; the thread goes on
                    self.troubled(name, f"{name}: {said(error)}")

        self.thread(again, name)

    def deliver(self, sink: Sink, worker: Callable[[Outbox, Sink, threading.Event], None]) -> None:
        """Tells a sink of alerts, in a thread of its own."""
        self.thread(lambda: worker(self.outbox, sink, self.ending), f"sink {sink.name}")

    def stop(self) -> None:
        """Ends everything: what was kept is judged and written first."""
        for stop in self._stoppers:
            stop()
        self.ending.set()
        self._work.set()
        self._full.set()
        for thread in self._threads:
            thread.join(timeout=30)
        try:
            with contextlib.suppress(MartelloError):  # without room there is nothing to do
                self.write_gaps()
            self._judge()
            self._put(self.pipeline.end())
            self._writer.write()
        finally:
            for intake in self._intakes.values():
                intake.close()

    def thread(
        self, run: Callable[[], None], name: str, stop: Callable[[], None] | None = None
    ) -> None:
        """Does something beside the rest, until it ends or everything does. `stop` ends it."""
        if stop is not None:
            self._stoppers.append(stop)
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def marks(self, name: Name) -> list[Mark]:
        """How far the logs of a source were read: what the catalogue knows, and the spool."""
        intake = self._intake(name)
        found = merged(all_of(intake.mine.mark))
        position = intake.mine.committed
        while frames := self.spool.read(name.key, position, SEGMENT):
            found.update(merged(mark_of(unframed(one.body).mark) for one in frames))
            position = frames[-1].position + 1
        return list(found.values())

    def _intake(self, name: Name) -> Intake:
        found = self._intakes.get(name.key)
        if found is not None:
            return found
        with self._lock:
            found = self._intakes.get(name.key)
            if found is None:
                holder = self.settings.holder
                found = Intake(self._state, self._lake, self.spool, name, holder)
                self._judged.setdefault(name.key, found.mine.committed)
                self._intakes[name.key] = found
            return found

    # -- judging

    def _judging(self) -> None:
        try:
            self._warm()
        except Exception as error:
            self.troubled("history", f"the history cannot be read: {said(error)}")
        if not self._recovering:
            self.pipeline.resumed()
        ticked = time.monotonic()
        while not self.ending.is_set():
            self._work.wait(_IDLE)
            self._work.clear()
            try:
                self._judge()
                if time.monotonic() - ticked >= _TICK:
                    ticked = time.monotonic()
                    self._put(self.pipeline.tick())
                self._troubles.pop("judge", None)
            except Exception as error:
                self.troubled("judge", f"judging: {said(error)}")
                self.ending.wait(_TICK)

    def _judge(self) -> None:
        """Everything that came since the last time."""
        more = True
        while more:
            more = False
            for key, body in self._unkept.take():
                self._put(self._alerts(key, self._tables(key, [Frame(0, body)])))
            for key in self.spool.sources():
                frames = self._next(key)
                if frames:
                    more = True
                    self._run(key, frames)

    def _next(self, key: str) -> list[Frame]:
        position = self._judged.get(key)
        if position is None:
            return []
        frames = self._arrived.take(key, position, _PIECE)
        if frames or self.spool.end(key) <= position:
            self._arrived.patience(key, True)
            return frames
        if self._arrived.patience(key, False) or key in self._recovering:
            return self.spool.read(key, position, _PIECE)
        return []

    def _run(self, key: str, frames: list[Frame]) -> None:
        """Judges a run of frames of one source, and leaves it for the lake."""
        tables = self._tables(key, frames)
        again = [one for one in frames if (key, one.position) in self._again]
        fresh = tables
        if again:
            self._again -= {(key, one.position) for one in again}
            fresh = self._tables(key, [one for one in frames if one not in again])
        self._put(self._alerts(key, fresh))
        last = frames[-1].position + 1
        told = unframed(frames[-1].body)
        self.lag = max(0.0, (self._clock() - told.seen) / 1e9)
        marks = [mark_of(found) for one in frames if (found := unframed(one.body).mark)]
        size = sum(len(one.body) for one in frames)
        run = Judged(frames[0].position, last, tables, size, tuple(merged(marks).values()))
        self._waiting.add(key, run)
        self._judged[key] = last
        if self._waiting.size >= SEGMENT:
            self._full.set()
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
                with self.judging:
                    found.update((one.id, one) for one in self.pipeline.feed(tables[kind]))
            except MartelloError:
                raise
            except Exception as error:  # a fault of ours on what an attacker may have written
                self._fault(source, tables[kind].num_rows, error)
        return list(found.values())

    def _fault(self, source: str, events: int, error: Exception) -> None:
        """Something could not be judged: it is told, and the rest goes on."""
        why = f"{type(error).__name__} while {events:,} events were judged"
        self.missed(source, 0, why, "unread")

    def _put(self, alerts: Iterable[Alert]) -> None:
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
            self._troubles.pop("outbox", None)
        except MartelloError as error:
            self.troubled("outbox", f"alerts wait for the outbox: {said(error)}")
        for one in fresh:
            if one.revision == 1:
                self.alerts[one.severity] += 1
            self._told(one)

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

    # -- keeping

    def _writing(self) -> None:
        last = time.monotonic()
        renewed = last
        while not self.ending.is_set():
            left = last + self.settings.flush - time.monotonic()
            self._full.wait(max(0.05, min(RENEW, left)))
            if self.ending.is_set():
                return
            try:
                if time.monotonic() - renewed >= RENEW:
                    renewed = time.monotonic()
                    self._writer.renew()
                if self._full.is_set() or time.monotonic() - last >= self.settings.flush:
                    self._full.clear()
                    last = time.monotonic()
                    self._writer.write()
                self._troubles.pop("lake", None)
            except Exception as error:
                self.troubled("lake", f"the lake: {said(error)}")
                self.ending.wait(_TICK)
