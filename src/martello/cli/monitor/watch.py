"""The daemon: what arrives is kept, judged within a moment, told, and written into the lake.

    door, sensor, followed logs → spool → judge → alerts (outbox) → sinks
                                        ↘ lake

Nothing is lost where it is killed: what the spool has acknowledged and the lake has not is read
again at the next start, events and alerts have the same ids then, and the outbox knows which were
told.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from martello.adapters.intake.decode import COLUMNS, Decoder, framed, lines
from martello.adapters.sensors.shape import Event, Place, gap
from martello.core.alert import Alert
from martello.core.errors import MartelloError
from martello.practices.monitor.pipeline import Pipeline
from martello.practices.monitor.ports import Sink
from martello.store.frames import Frame
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.segments import Name
from martello.store.spool import Spool
from martello.store.state import State

FLUSH: Final = 60.0  # seconds between segments
RENEW: Final = 20.0
_IDLE: Final = 0.25  # seconds that the judge sleeps where nobody wakes it
_PIECE: Final = 8 << 20  # bytes that are judged at once
_GATHER: Final = 0.1  # seconds that a sensor's events are gathered


class Settings(msgspec.Struct, frozen=True):
    """How it runs. `cluster` and `node` name where it looks."""

    cluster: str
    node: str = ""
    flush: float = FLUSH
    sinks: tuple[str, ...] = ()


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
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.outbox = Outbox(state)
        self.trouble = ""
        self.lost: dict[str, int] = {}  # gaps by why
        self._state = state
        self._lake = lake
        self._spool = spool
        self._decoder = decoder
        self._route = route
        self._told = told
        self._clock = clock
        self._holder = f"{socket.gethostname()}-{os.getpid()}"
        self._intakes: dict[str, Intake] = {}
        self._judged: dict[str, int] = {}
        self._lock = threading.RLock()
        self._work = threading.Event()
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []
        self._stoppers: list[Callable[[], None]] = []

    # -- what arrives

    def keep(self, source: str, body: bytes) -> int:
        """Keeps a body of a source (`audit`, `otlp`, `columns`); returns when it is on the disk.
        Raises MartelloError where it was not kept.
        """
        name = Name(self.settings.cluster, source, self.settings.node or "door")
        intake = self._intake(name)
        position = self._spool.append(intake.name.key, framed(body, self._clock()))
        self._work.set()
        return position

    def missed(self, source: str, size: int, why: str) -> None:
        """Something of a source was not kept: a gap, where there is room for one."""
        now = self._clock()
        self.lost[why] = self.lost.get(why, 0) + 1
        place = Place(self.settings.cluster, self.settings.node)
        one = gap(place, source, "refused", now, now, f"{why} ({size:,} bytes)", 1)
        try:
            self.keep(COLUMNS, lines([one]))
        except MartelloError:
            self.trouble = f"events are refused: {why}"

    def follow(self, events: Iterable[Event], name: str, stop: Callable[[], None]) -> None:
        """Keeps the events of a sensor for as long as it gives some, in a thread of its own."""

        def run() -> None:
            held: list[Event] = []
            since = time.monotonic()
            try:
                for event in events:
                    held.append(event)
                    if time.monotonic() - since >= _GATHER or len(held) >= 1_000:
                        self._keep_events(held, name)
                        held, since = [], time.monotonic()
                    if self._ending.is_set():
                        break
            except MartelloError as error:
                self.trouble = f"{name}: {error.what}"
                self.missed(name, 0, error.what)
            self._keep_events(held, name)

        self._stoppers.append(stop)
        self._thread(run, name)

    def _keep_events(self, events: list[Event], name: str) -> None:
        if not events:
            return
        try:
            self.keep(COLUMNS, lines(events))
        except MartelloError as error:
            self.missed(name, 0, error.what)

    # -- life

    def start(self) -> None:
        """Begins with what an earlier run had kept and not finished."""
        from martello.store.segments import parse_name

        for key in self._spool.sources():
            name = parse_name(key)
            intake = self._intake(name)
            self._judged.setdefault(name.key, intake.mine.committed)
        for one in self._spool.gaps():
            self.missed("spool", one.size, one.why)
        self._thread(self._judging, "judge")
        self._thread(self._writing, "lake")

    def run(self, job: Callable[[], None], name: str, every: float) -> None:
        """Does something again and again; what it raises is told as trouble."""

        def again() -> None:
            while not self._ending.wait(every):
                try:
                    job()
                except MartelloError as error:
                    self.trouble = f"{name}: {error.what}"

        self._thread(again, name)

    def deliver(self, sink: Sink, worker: Callable[[Outbox, Sink, threading.Event], None]) -> None:
        """Tells a sink of alerts, in a thread of its own."""
        self._thread(lambda: worker(self.outbox, sink, self._ending), f"sink {sink.name}")

    def stop(self) -> None:
        """Ends everything: what was kept is judged and written first."""
        for stop in self._stoppers:
            stop()
        self._ending.set()
        self._work.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self._judge()
        self._put(self.pipeline.end())
        self._write()
        for intake in self._intakes.values():
            intake.close()

    def _thread(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _intake(self, name: Name) -> Intake:
        with self._lock:
            found = self._intakes.get(name.key)
            if found is None:
                found = Intake(self._state, self._lake, self._spool, name, self._holder)
                self._intakes[name.key] = found
                self._judged.setdefault(name.key, found.mine.committed)
            return found

    # -- judging

    def _judging(self) -> None:
        while not self._ending.is_set():
            self._work.wait(_IDLE)
            self._work.clear()
            try:
                self._judge()
            except MartelloError as error:
                self.trouble = f"judging: {error.what}"
                self._ending.wait(1)

    def _judge(self) -> None:
        """Everything that came since the last time."""
        more = True
        while more:
            more = False
            for key in self._spool.sources():
                frames = self._spool.read(key, self._judged.get(key, 0), _PIECE)
                if not frames:
                    continue
                more = True
                self._put(self._alerts(key, frames))
                self._judged[key] = frames[-1].position + 1

    def _alerts(self, key: str, frames: Sequence[Frame]) -> list[Alert]:
        found: dict[str, Alert] = {}
        with self._lock:
            tables = self._tables(key, frames)
        for kind in sorted(tables, key=lambda one: one != "audit"):  # who, before what
            for alert in self.pipeline.feed(tables[kind]):
                found[alert.id] = alert
        return list(found.values())

    def _put(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self.outbox.put([alert], self._route(alert))
            self._told(alert)

    def _tables(self, key: str, frames: Sequence[Frame]) -> dict[str, Any]:
        source = key.split("/")[1]
        return self._decoder.tables(source, (one.body for one in frames))

    # -- keeping

    def _writing(self) -> None:
        last = time.monotonic()
        while not self._ending.wait(min(RENEW, self.settings.flush)):
            for intake in tuple(self._intakes.values()):
                intake.renew()
            if time.monotonic() - last >= self.settings.flush:
                last = time.monotonic()
                try:
                    self._write()
                except MartelloError as error:
                    self.trouble = f"the lake: {error.what}"

    def _write(self) -> None:
        for key, intake in tuple(self._intakes.items()):

            def decode(frames: Sequence[Frame], key: str = key) -> dict[str, Any]:
                with self._lock:
                    return self._tables(key, frames)

            until = self._judged.get(key, 0)
            while intake.mine.committed < until and intake.flush(decode, until=until):
                pass
