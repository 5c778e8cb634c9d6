"""What a daemon does for its store while it runs: seal each minute, compact each hour, retain each
day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from martello.core.errors import MartelloError
from martello.store.compact import compact
from martello.store.lake import Lake
from martello.store.retain import Tiers, retire, sweep
from martello.store.seal import WitnessFile, seal, tell
from martello.store.sealkeys import SealKey
from martello.store.state import State

SEAL: Final = 60.0  # seconds
COMPACT: Final = 3_600.0
RETAIN: Final = 86_400.0
_FEWEST: Final = 8  # segments of a day that are worth a rewriting while it lasts


class Done(msgspec.Struct, frozen=True):
    """What a tick did, in words, and what it could not do."""

    did: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Upkeep:
    """Call `tick` every few seconds with a clock that only goes forward (seconds)."""

    def __init__(
        self,
        state: State,
        lake: Lake,
        key: SealKey,
        holder: str,
        witness: WitnessFile | None = None,
        tiers: Tiers | None = None,
        of: Mapping[str, Tiers] | None = None,
    ) -> None:
        self._state = state
        self._lake = lake
        self._key = key
        self._holder = holder
        self._witness = witness
        self._tiers = tiers or Tiers()
        self._of = dict(of or {})
        self._due: dict[str, float] = {}

    def tick(self, now: float) -> Done:
        """Does what is due. One thing that fails keeps none of the others from being done."""
        did: list[str] = []
        failed: list[str] = []
        tasks: tuple[tuple[str, float, Callable[[], str]], ...] = (
            ("compact", COMPACT, self._compact),
            ("retain", RETAIN, self._retain),
            ("seal", SEAL, self._seal),
        )
        for name, pause, task in tasks:
            if now < self._due.setdefault(name, now if name == "seal" else now + pause):
                continue
            self._due[name] = now + pause
            try:
                told = task()
            except MartelloError as error:
                failed.append(f"{name}: {error.what}: {error.why}")
            else:
                did += [told] if told else []
        return Done(tuple(did), tuple(failed))

    def _seal(self) -> str:
        body = seal(self._state, self._lake.files, self._key)
        if self._witness is not None:
            tell(self._state, self._lake.files, self._witness)
        return f"checkpoint {body.n}" if body is not None else ""

    def _compact(self) -> str:
        done = compact(self._state, self._lake, self._holder, _FEWEST)
        return f"compacted {done.before} segments into {done.after}" if done.after else ""

    def _retain(self) -> str:
        gone = retire(self._state, self._tiers, self._of)
        self._seal()
        swept = sweep(self._state, self._lake.files)
        if not (gone.columns or gone.raw or gone.alerts or swept.files or swept.orphans):
            return ""
        return f"retired {gone.columns} segments, deleted {swept.files + swept.orphans} files"
