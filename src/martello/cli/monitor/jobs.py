"""What runs beside one another until everything ends, and what is wrong with any of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from martello.cli.monitor.missing import said


class Jobs:
    """Threads with names. `trouble` says what is wrong now."""

    def __init__(self) -> None:
        self.ending = threading.Event()  # set when everything ends
        self._troubles: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._stoppers: list[Callable[[], None]] = []

    @property
    def trouble(self) -> str:
        """What is wrong now; empty: nothing."""
        return "; ".join(dict.fromkeys(filter(None, self._troubles.values())))

    def troubled(self, name: str, what: str = "") -> None:
        """Something is wrong with a part, or no longer."""
        self._troubles[name] = what

    def run(
        self, job: Callable[[], None], name: str, every: float, *, first: float | None = None
    ) -> None:
        """Does something again and again, the `first` time sooner (seconds); what it raises is told
        as trouble.
        """

        def again() -> None:
            pause = every if first is None else first
            while not self.ending.wait(pause):
                pause = every
                try:
                    job()
                    self.troubled(name)
                except Exception as error:  # told at /readyz; the thread goes on
                    self.troubled(name, f"{name}: {said(error)}")

        self.thread(again, name)

    def thread(
        self, run: Callable[[], None], name: str, stop: Callable[[], None] | None = None
    ) -> None:
        """Does something beside the rest, until it ends or everything does. `stop` ends it."""
        if stop is not None:
            self._stoppers.append(stop)
        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self, *wakes: threading.Event, seconds: float = 30.0) -> None:
        """Tells every thread to end, wakes those that wait, and waits for each so long."""
        for stop in self._stoppers:
            stop()
        for one in (self.ending, *wakes):
            one.set()
        for thread in self._threads:
            thread.join(timeout=seconds)
