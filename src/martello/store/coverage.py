"""How much of a window the lake knows: what is known to be missing is told beside every answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec


class Missing(msgspec.Struct, frozen=True):
    """A gap: a source that told nothing, or not all, from `first` up to `last` (microseconds).
    `reason` is known where what was received is still kept, and was asked for.
    """

    cluster: str
    source: str
    first: int
    last: int
    why: str
    events: int = 0  # 0: nobody knows how many
    reason: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """A window in microseconds, and its gaps. Of what lies before `begun`, the first that was ever
    kept, nothing is known; None: nothing was ever kept.
    """

    since: int
    until: int
    gaps: tuple[Missing, ...] = ()
    begun: int | None = 0

    @property
    def share(self) -> float:
        """The part of the window without a gap, between 0 and 1."""
        whole = self.until - max(self.since, self.begun or 0)
        return 1.0 if whole <= 0 else max(0.0, 1 - self.missing / whole)

    @property
    def missing(self) -> int:
        """How long some source had a gap, in microseconds; what overlaps counts once."""
        return covered((gap.first, gap.last) for gap in self.gaps)

    @property
    def says(self) -> str:
        """As a hunt prints it."""
        if self.begun is None:
            return "coverage 0 %: nothing was ever kept here (martello monitor run keeps)"
        late = self.since < self.begun
        when = f" since {_clock(self.begun)}, nothing is kept of before" if late else ""
        return self._gaps + when

    @property
    def complete(self) -> bool:
        """Whether something was kept, and no gap is known."""
        return self.begun is not None and not self.gaps

    @property
    def _gaps(self) -> str:
        if not self.gaps:
            return "coverage 100 %: no gap is known"
        clusters = sorted({gap.cluster for gap in self.gaps})
        count = len(self.gaps)
        share = min(self.share * 100, 99.99)
        gaps = f"{count:,} gap{'s' if count != 1 else ''} in {', '.join(clusters)}"
        return f"coverage {share:.2f} % ({gaps}, {_span(self.missing)})"


def coverage(since: int, until: int, gaps: Iterable[Missing], begun: int | None = 0) -> Coverage:
    """The gaps that touch a window, cut to it."""
    cut = (
        msgspec.structs.replace(gap, first=max(gap.first, since), last=min(gap.last, until))
        for gap in gaps
        if gap.first < until and gap.last >= since
    )
    ordered = sorted(cut, key=lambda gap: (gap.first, gap.last, gap.cluster, gap.source))
    return Coverage(since, until, tuple(ordered), begun)


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """The length of a union of spans."""
    total, end = 0, None
    for first, last in sorted(spans):
        start = first if end is None else max(first, end)
        total += max(0, last - start)
        end = last if end is None else max(end, last)
    return total


def _clock(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def _span(micros: int) -> str:
    seconds = micros / 1_000_000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
