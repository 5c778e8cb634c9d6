"""The snapshot that judges read: made anew when the ledger changes, swapped at once, kept on disk
for a start without the ledger.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from martello.core.approval import NEVER, Approvals
from martello.core.errors import MartelloError
from martello.gate.judge import Snapshot
from martello.gate.kept import Kept
from martello.store.changes import Sign

MAX_AGE: Final = 15 * 60  # seconds after which approvals are stale
POLL: Final = 2.0
DOUBT: Final = 60.0  # something was written, maybe not to the ledger: read it all again after this
_ALWAYS: Final = 300.0  # and after this in any case, where the database tells less than SQLite
_LONGEST: Final = 60.0


class Ledger(Protocol):
    """Where approvals come from. Both raise MartelloError."""

    def sign(self) -> Sign:
        """A cheap sign of whether there is anything new."""
        ...

    def read(self) -> Approvals:
        """All of it, verified."""
        ...


class Keeper:
    """Holds the snapshot. One thread calls `refresh`, all others read `current`."""

    def __init__(
        self,
        ledger: Ledger,
        rest: Snapshot,
        kept: Kept | None = None,
        *,
        max_age: float = MAX_AGE,
        doubt: float = DOUBT,
        clock: Callable[[], float] = time.time,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._kept = kept
        self._clock = clock
        self._doubt = doubt
        self._told = told
        self._limit = int(max_age * 1_000_000) if max_age else NEVER
        self._sign: Sign | None = None
        self._read_at = 0.0
        self._written_at = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        # until something was read, everything is an error, not unknown
        nothing = Approvals(max_age=self._limit or 1)
        self.current = msgspec.structs.replace(rest, approvals=nothing)
        self.trouble = ""
        self.failures = 0
        self.reads = 0

    @property
    def ready(self) -> bool:
        """Whether there is anything to judge by."""
        return self.current.approvals.at > 0

    def age(self) -> float:
        """Seconds since the ledger was last read or seen unchanged."""
        return self._clock() - self.current.approvals.at / 1_000_000

    def load(self) -> bool:
        """Takes what was kept on disk, as old as it is. False where nothing is to be used."""
        if self._kept is None:
            return False
        try:
            found = self._kept.load()
        except MartelloError as error:
            self._told(f"the snapshot on disk is not used: {error.what}: {error.why}")
            return False
        if found is not None:
            self._swap(found)
        return found is not None

    def refresh(self) -> bool:
        """Looks at the ledger, and reads it where that may be worth it. On any trouble the old
        snapshot stays, and grows old. Returns whether it went well.
        """
        began = self._clock()
        try:
            sign = self._ledger.sign()
            approvals = self.current.approvals
            whole = self._due(sign, began)
            if whole:
                approvals = self._ledger.read()
                self.reads += 1
            self._swap(msgspec.structs.replace(approvals, at=int(began * 1_000_000)))
            if whole:
                self._sign, self._read_at = sign, began
            self._keep(whole, began)
        except MartelloError as error:
            return self._failed(f"{error.what}: {error.why}")
        except Exception as error:  # a defect must not end the thread, and nobody know of it
            return self._failed(f"the ledger was not read: {type(error).__name__}: {error}")
        if self.trouble:
            self._told("the ledger is read again")
        self.trouble = ""
        return True

    def start(self, poll: float = POLL) -> None:
        """Refreshes from now on, in a thread of its own."""
        self._thread = threading.Thread(
            target=self._run, args=(poll,), name="snapshot", daemon=True
        )
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """Ends the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, poll: float) -> None:
        wait = poll
        while not self._ended.wait(wait):
            wait = poll if self.refresh() else min(max(wait, 0.1) * 2, _LONGEST)

    def _failed(self, why: str) -> bool:
        if why != self.trouble:
            self._told(f"the ledger cannot be read: {why}")
        self.trouble = why
        self.failures += 1
        return False

    def _due(self, sign: Sign, now: float) -> bool:
        old, since = self._sign, now - self._read_at
        if old is None or since < 0 or self._read_at == 0:
            return True
        if (old.rows, old.refs, old.resolved) != (sign.rows, sign.refs, sign.resolved):
            return True
        if sign.file == -1:
            return since > _ALWAYS
        # `_sign` is that of the last full read until it is read again
        return old.file != sign.file and since > self._doubt

    def _swap(self, approvals: Approvals) -> None:
        approvals = msgspec.structs.replace(approvals, max_age=self._limit)
        self.current = msgspec.structs.replace(self.current, approvals=approvals)

    def _keep(self, changed: bool, now: float) -> None:
        if self._kept is None:
            return
        old = self._limit / 1_000_000 / 3 if self._limit else _ALWAYS
        if changed or now - self._written_at > old:
            self._kept.save(self.current.approvals)
            self._written_at = now
