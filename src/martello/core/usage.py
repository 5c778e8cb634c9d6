"""Measured use of containers: series of samples, as sources hand them over piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, Protocol, get_args

import msgspec

Metric = Literal[
    "cpu",  # counter: seconds of processor time
    "cores",  # processor time a second, the mean of a short while before: from snapshots
    "memory",  # bytes of working set
    "periods",  # counter: enforcement periods of the processor quota
    "throttled",  # counter: those in which it was held back
    "kills",  # counter: kills for want of memory, as the kernel tells them
    "restarts",  # counter: starts after the first one
    "killed",  # 1 while the last end of the container was one for want of memory
    "pids",  # processes and threads
    "disk",  # bytes
    "cpu limit",  # cores
    "memory limit",  # bytes
]
METRICS: Final[tuple[Metric, ...]] = get_args(Metric)
COUNTERS: Final[frozenset[Metric]] = frozenset(("cpu", "periods", "throttled", "kills", "restarts"))


class Owned(msgspec.Struct, frozen=True, order=True):
    """A container of a pod, and whose pod it is (`deploy/web`; empty where nobody knows)."""

    namespace: str
    pod: str
    container: str
    workload: str = ""


class Chunk(msgspec.Struct, frozen=True, eq=False):
    """Samples of one container and metric, in order of time; `times` (seconds since the epoch) and
    `values` are numpy arrays of float64 of the same length, finite and not negative.

    Chunks of one series may overlap at their edges and may come from several replicas of a server,
    where the source did not settle that: `replica` tells them apart. A container that was started
    anew, or a pod of the same name, may count from 0 again beside the end of the one before:
    `series` tells those apart. Rates of counters are taken of one `series` at a time.
    """

    of: Owned
    metric: Metric
    times: Any
    values: Any
    replica: str = ""
    series: str = ""


class Gap(msgspec.Struct, frozen=True):
    """Something that could not be had: which query, for whom (an empty namespace: for all; `of`
    where it is one container's), and why.
    """

    what: str
    why: str
    namespace: str = ""
    of: Owned | None = None


class Counts(msgspec.Struct):
    """What a source has done so far: for progress, and to hold it to its bounds. It grows while
    chunks are read.
    """

    queries: int = 0
    bytes: int = 0  # of answers or files, unpacked
    samples: int = 0  # handed on
    dropped: dict[str, int] = {}  # why → samples that were not handed on
    retries: int = 0
    halved: int = 0
    total: int = 0  # namespaces; 0 as long as nobody knows
    namespace: str = ""  # under way
    finished: list[str] = []  # namespaces whose chunks were all handed over

    def drop(self, why: str, count: int = 1) -> None:
        """Counts samples that are not handed on."""
        if count:
            self.dropped[why] = self.dropped.get(why, 0) + count


class Source(Protocol):
    """Where samples come from. All chunks of one namespace come before those of the next."""

    counts: Counts

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples of a time window (seconds since the epoch, `until` not in it). Memory is
        bounded by one answer, not by the window. Raises Unreachable or NotPermitted: what came of
        `counts.finished` namespaces is whole and may be reported, the rest is not.
        """
