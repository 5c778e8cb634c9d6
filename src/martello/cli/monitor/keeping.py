"""What arrives is kept on the disk, and acknowledged then; what finds no room there is a gap."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import msgspec

from martello.adapters.intake.decode import COLUMNS, framed, lines, unframed
from martello.adapters.intake.mark import Mark, all_of, mark_of, merged
from martello.adapters.intake.shed import shed
from martello.adapters.sensors.shape import Place
from martello.cli.monitor import missing
from martello.cli.monitor.arrived import Arrived, Unkept
from martello.cli.monitor.jobs import Jobs
from martello.cli.monitor.missing import said
from martello.cli.monitor.writing import SEGMENT
from martello.core.errors import MartelloError
from martello.store.intake import Intake
from martello.store.lake import Lake
from martello.store.segments import Name
from martello.store.spool import Spool
from martello.store.state import State

FLUSH: Final = 60.0  # seconds between segments
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


class Keeper:
    """What came, by source: on the disk, and in memory for the judge. Any thread may call it."""

    def __init__(
        self,
        settings: Settings,
        state: State,
        lake: Lake,
        spool: Spool,
        jobs: Jobs,
        clock: Callable[[], int],
    ) -> None:
        self.spool = spool
        self.missing = missing.Missing()
        self.heard: dict[str, int] = {}  # by source: when something came (ns)
        self.intakes: dict[str, Intake] = {}
        self.judged: dict[str, int] = {}  # by source: up to which position
        self.arrived, self.unkept = Arrived(), Unkept()
        self.again: set[tuple[str, int]] = set()  # kept now, judged before
        self.work = threading.Event()  # set when there is something to judge
        self._settings = settings
        self._state = state
        self._lake = lake
        self._jobs = jobs
        self._clock = clock
        self._lock = threading.RLock()

    def name(self, source: str, origin: str = "") -> Name:
        """How a source is called."""
        return Name(self._settings.cluster, source, origin or self._settings.node or "door")

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
            intake = self.intake(name)
            position = self.spool.append(name.key, kept)
        except MartelloError as error:
            self._jobs.troubled("spool", said(error))
            if not mark and self.unkept.add(name.key, kept, body):  # a log is read again
                self.work.set()
            raise
        self._jobs.troubled("spool")
        if self.unkept.knows(name.key, body):
            self.again.add((name.key, position))
        self.arrived.add(intake.name.key, position, kept)
        self.heard[name.key] = now
        self.work.set()
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
        place = Place(self._settings.cluster, self._settings.node)
        try:
            self.keep(COLUMNS, lines(missing.events(found, place)))
        except MartelloError:
            self.missing.back(found)
            raise

    def marks(self, name: Name) -> list[Mark]:
        """How far the logs of a source were read: what the catalogue knows, and the spool."""
        intake = self.intake(name)
        found = merged(all_of(intake.mine.mark))
        position = intake.mine.committed
        while frames := self.spool.read(name.key, position, SEGMENT):
            found.update(merged(mark_of(unframed(one.body).mark) for one in frames))
            position = frames[-1].position + 1
        return list(found.values())

    def intake(self, name: Name) -> Intake:
        """Where a source stands: made where it is new. Raises MartelloError."""
        found = self.intakes.get(name.key)
        if found is not None:
            return found
        with self._lock:
            found = self.intakes.get(name.key)
            if found is None:
                holder = self._settings.holder
                found = Intake(self._state, self._lake, self.spool, name, holder)
                self.judged.setdefault(name.key, found.mine.committed)
                self.intakes[name.key] = found
            return found
