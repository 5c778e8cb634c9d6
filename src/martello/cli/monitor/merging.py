"""Tables of several sources as one stream in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

_LAST: Final = (1 << 63) - 1
SLACK: Final = 10_000_000_000  # ns that sources may be ahead of one another: tables stay large


def merged(streams: Iterable[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """The rows of streams whose tables follow one another in time, each cut where another stream
    is behind by more than `SLACK`. What comes late in its own stream comes late here.
    """
    heads: list[tuple[int, int, pa.Table, Any]] = []
    sources = [iter(one) for one in streams]
    for number, source in enumerate(sources):
        _push(heads, number, source)
    heapify(heads)
    while heads:
        _, number, rows, times = heappop(heads)
        until = min(heads[0][0] + SLACK, _LAST) if heads else _LAST
        cut = len(times) if until == _LAST else int(np.searchsorted(times, until, "right"))
        cut = max(cut, 1)
        yield rows.slice(0, cut)
        if cut < len(times):
            heappush(heads, (int(times[cut]), number, rows.slice(cut), times[cut:]))
        else:
            _push(heads, number, sources[number])


def _push(heads: list[Any], number: int, source: Iterator[pa.Table]) -> None:
    """The next table of a stream that holds something, sorted."""
    for rows in source:
        if not rows.num_rows:
            continue
        times = rows["time"].cast(pa.int64()).fill_null(0).to_numpy()
        if not bool(np.all(times[:-1] <= times[1:])):
            order = np.argsort(times, kind="stable")
            rows, times = rows.take(pa.array(order)), times[order]
        heappush(heads, (int(times[0]), number, rows, times))
        return
