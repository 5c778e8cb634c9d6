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
from collections.abc import Callable, Sequence
from typing import Final

from martello.adapters.intake.decode import Decoder
from martello.cli.monitor.arrived import Waiting
from martello.cli.monitor.jobs import Jobs
from martello.cli.monitor.judge import Judge
from martello.cli.monitor.keeping import Keeper, Settings
from martello.cli.monitor.missing import said
from martello.cli.monitor.writing import Writer
from martello.core.alert import Alert
from martello.core.errors import MartelloError
from martello.core.sink import Sink
from martello.practices.monitor.pipeline import Pipeline
from martello.store.lake import Lake
from martello.store.outbox import Outbox
from martello.store.segments import parse_name
from martello.store.spool import Spool
from martello.store.state import State

RENEW: Final = 20.0
_TICK: Final = 1.0


class Watch:
    """The parts of the daemon around a spool: what keeps, what judges, what writes, and the jobs
    that they are. `start`, then `stop` once.
    """

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
        self.jobs = Jobs()
        self.keeper = Keeper(settings, state, lake, spool, self.jobs, clock)
        waiting = Waiting()
        self.judge = Judge(
            self.keeper,
            waiting,
            decoder,
            pipeline,
            Outbox(state),
            self.jobs,
            route=route,
            told=told,
            clock=clock,
            warm=warm,
        )
        self._writer = Writer(self.keeper.intakes, waiting, spool, decoder)

    def start(self) -> None:
        """Begins with what an earlier run had kept and not finished."""
        for key in self.keeper.spool.sources():
            self.keeper.intake(parse_name(key))
        for one in self.keeper.spool.gaps():
            self.keeper.missed("spool", one.size, one.why, "lost")
        self.judge.recover()
        self.jobs.thread(self.judge.run, "judge")
        self.jobs.thread(self._writing, "lake")
        self.jobs.run(self.keeper.write_gaps, "gaps", _TICK)

    def deliver(self, sink: Sink, worker: Callable[[Outbox, Sink, threading.Event], None]) -> None:
        """Tells a sink of alerts, in a thread of its own."""
        self.jobs.thread(
            lambda: worker(self.judge.outbox, sink, self.jobs.ending), f"sink {sink.name}"
        )

    def stop(self) -> None:
        """Ends everything: what was kept is judged and written first."""
        self.jobs.end(self.keeper.work, self.judge.full)
        try:
            with contextlib.suppress(MartelloError):  # without room there is nothing to do
                self.keeper.write_gaps()
            self.judge.judge()
            self.judge.tell(self.judge.pipeline.end())
            self._writer.write()
        finally:
            for intake in self.keeper.intakes.values():
                intake.close()

    def _writing(self) -> None:
        last = time.monotonic()
        renewed = last
        while not self.jobs.ending.is_set():
            left = last + self.settings.flush - time.monotonic()
            self.judge.full.wait(max(0.05, min(RENEW, left)))
            if self.jobs.ending.is_set():
                return
            try:
                if time.monotonic() - renewed >= RENEW:
                    renewed = time.monotonic()
                    self._writer.renew()
                if self.judge.full.is_set() or time.monotonic() - last >= self.settings.flush:
                    self.judge.full.clear()
                    last = time.monotonic()
                    self._writer.write()
                self.jobs.troubled("lake")
            except Exception as error:
                self.jobs.troubled("lake", f"the lake: {said(error)}")
                self.jobs.ending.wait(_TICK)
