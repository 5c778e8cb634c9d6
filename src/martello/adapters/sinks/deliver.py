"""The worker of a sink: what waits in the outbox is claimed, sent, and marked by what became of it.

D1 one thread a sink, so that one that is down holds nobody up. D2 at least once: a delivery is done
only after the sink's yes, and carries the same key again. D3 a sink that forgets is told again of
what is open. D4 it is tried at start, and told of where it does not answer.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from martello.core.alert import Alert
from martello.core.sink import NotSent, Sink

LEASE: Final = 120.0  # seconds that a claim holds
SEND: Final = 30.0  # seconds that one delivery may take
AT_ONCE: Final = 10
IDLE: Final = 0.5
PAUSE: Final = 30.0  # seconds at most between tries of a sink that is down
PATIENCE: Final = 900.0  # seconds at most that a sink may ask for, for all its alerts
UNWELL: Final = 300.0  # seconds without a yes, and with a no, before it is told


class Delivery(Protocol):
    """One alert for one sink, claimed."""

    @property
    def alert(self) -> Alert:
        """As it was when it was put."""
        ...


class Outbox(Protocol):
    """What the worker asks of the outbox."""

    def claim(self, sink: str, n: int, seconds: float, holder: str) -> Sequence[Any]:
        """Deliveries whose time has come."""
        ...

    def done(self, one: Any) -> bool:
        """The sink has said yes."""
        ...

    def failed(self, one: Any, error: str, retry_after: float | None = None) -> bool:
        """Later again."""
        ...

    def refused(self, one: Any, error: str) -> bool:
        """Never again."""
        ...

    def overtaken(self, one: Any) -> bool:
        """Whether the sink has taken what the alert became later."""
        ...

    def taken(self, sink: str, since: int) -> Sequence[Alert]:
        """What a sink has taken and is open, if its last event was since (microseconds)."""
        ...


class Hears(Protocol):
    """What is told of a sink, at start and when it changes: `why` it does not answer; empty: it
    does.
    """

    def __call__(self, sink: Sink, why: str) -> None:
        """Called by the worker's thread."""
        ...


def silent(sink: Sink, why: str) -> None:
    """Tells nobody."""


class Worker:
    """Delivers to one sink until it is told to end. `sleep` waits for so many seconds, or less
    where the end came: it says whether it did. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        sink: Sink,
        ending: threading.Event,
        *,
        hears: Hears = silent,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._sink = sink
        self._ending = ending
        self._hears = hears
        self._clock = clock
        self._now = now
        self._holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._told = False  # somebody was told that it does not answer
        self._failing: float | None = None  # since when it only says no
        self._repeated = clock()
        self._failures = 0  # one after the other
        self._resumes = clock()  # nothing is tried before

    def run(self) -> None:
        """Until the end."""
        self.look()
        while not self._ending.is_set():
            try:
                busy = self.turn()
            except Exception:  # the store does not answer: alerts wait in it
                busy = False
            if not busy:
                self._ending.wait(IDLE)

    def look(self) -> None:
        """Tries the sink without an alert (D4)."""
        try:
            self._sink.check()
            self._hear("")
        except NotSent as error:
            self._says_no(str(error), at_once=True)
        except Exception as error:  # a mistake of ours must not end the thread
            self._says_no(type(error).__name__, at_once=True)

    def turn(self) -> bool:
        """Delivers what is due; whether there was anything. A sink that is down is tried with one
        alert at a time, after pauses that grow; so one alert that it chokes on stops no other.
        """
        if self._clock() < self._resumes:
            return False
        self._repeat()
        count = AT_ONCE if self._failures < 2 else 1
        claimed = self._outbox.claim(self._sink.name, count, LEASE, self._holder)
        until = self._clock() + LEASE - SEND
        for one in claimed:
            now = self._clock()
            if self._ending.is_set() or now >= until or now < self._resumes:
                self._outbox.failed(one, "not tried: the sink did not answer", 1.0)
            else:
                self._deliver(one)
        return bool(claimed)

    def _deliver(self, one: Any) -> None:
        if self._outbox.overtaken(one):
            self._outbox.done(one)
            return
        try:
            self._sink.send(one.alert)
        except NotSent as error:
            if error.never:
                self._outbox.refused(one, str(error))
                self._failures = 0
                return
            self._outbox.failed(one, str(error), error.retry_after)
            self._says_no(str(error), retry_after=error.retry_after)
        except Exception as error:  # a mistake of ours must not end the thread
            self._outbox.failed(one, f"{type(error).__name__} in the sink")
            self._says_no(type(error).__name__)
        else:
            self._outbox.done(one)
            self._says_yes()

    def _repeat(self) -> None:
        """Tells again of what is open, where the sink forgets (D3)."""
        every = getattr(self._sink, "repeats", None)
        if every is None or self._clock() - self._repeated < every:
            return
        self._repeated = self._clock()
        open_ones = self._outbox.taken(self._sink.name, int((self._now() - 86_400) * 1e6))
        if not open_ones:
            return
        try:
            self._sink.repeat(open_ones)  # type: ignore[attr-defined]
            self._says_yes()
        except NotSent as error:
            self._says_no(str(error))

    def _says_no(
        self, why: str, *, at_once: bool = False, retry_after: float | None = None
    ) -> None:
        self._failures += 1
        pause = min(2.0 ** min(self._failures - 2, 10), PAUSE) if self._failures >= 2 else 0.0
        self._resumes = self._clock() + max(pause, min(retry_after or 0.0, PATIENCE))
        if self._failing is None:
            self._failing = self._clock()
        if not self._told and (at_once or self._clock() - self._failing >= UNWELL):
            self._told = self._hear(why)

    def _says_yes(self) -> None:
        self._failing = None
        self._failures = 0
        if self._told:
            self._told = not self._hear("")

    def _hear(self, why: str) -> bool:
        """Whether somebody could be told of the sink; else it is tried when it is used again."""
        try:
            self._hears(self._sink, why)
        except Exception:  # the store, say
            return False
        return True


def deliver(outbox: Outbox, sink: Sink, ending: threading.Event, hears: Hears = silent) -> None:
    """The worker of a sink, as a thread runs it."""
    Worker(outbox, sink, ending, hears=hears).run()
