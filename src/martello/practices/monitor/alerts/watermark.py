"""How far a stream of several sources has come: nothing earlier is waited for any longer.

Each source has come to its latest event, less the lateness; the stream to where the last of its
sources is, but for those that are silent. A clock that is ahead moves nothing: of a stream that is
live no event counts as later than now, and of one that is read again none that is an hour later
than half of the last events of its source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

LATENESS: Final = 60.0  # seconds that an event may come after a later one
SILENT: Final = 30.0  # seconds after which a source holds the others no longer
RECENT: Final = 1_000  # events of a source that say where it is
_AHEAD: Final = 3_600.0  # seconds that an event may be later than most
_SECOND: Final = 1_000_000_000


class Watermark:
    """Where the sources of a stream are; times are ns UTC."""

    def __init__(self, lateness: float = LATENESS) -> None:
        self._lateness = int(lateness * _SECOND)
        self._recent: dict[str, deque[int]] = {}
        self._at: dict[str, tuple[int, int]] = {}  # source: its latest time, when that came

    def seen(self, source: str, times: Iterable[int], now: int = 0) -> None:
        """Notes events of a source as they came; `now` is the time of a stream that is live."""
        if now:
            before, _ = self._at.get(source, (0, 0))
            self._at[source] = (max(before, min(now, max(times, default=0))), now)
            return
        recent = self._recent.setdefault(source, deque(maxlen=RECENT))
        recent.extend(times)
        if recent:
            ordered = sorted(recent)
            last = ordered[(len(ordered) - 1) // 2] + _AHEAD * _SECOND
            latest = next(one for one in reversed(ordered) if one <= last)
            self._at[source] = (latest, latest)

    def reached(self) -> int:
        """The time up to which everything is here; 0: not known."""
        if not self._at:
            return 0
        newest = max(came for _, came in self._at.values())
        heard = [last for last, came in self._at.values() if newest - came <= SILENT * _SECOND]
        return min(heard) - self._lateness
