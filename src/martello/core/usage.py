"""Measured use of containers: series of samples, as sources hand them over piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

import msgspec

Metric = Literal[
    "cpu",  # counter: seconds of processor time
    "memory",  # bytes of working set
    "periods",  # counter: enforcement periods of the processor quota
    "throttled",  # counter: those in which it was held back
    "kills",  # counter: kills for want of memory
    "pids",
    "disk",  # bytes
    "cpu limit",
    "memory limit",
]


class Owned(msgspec.Struct, frozen=True, order=True):
    """A container of a pod, and whose pod it is (`deploy/web`; empty where nobody knows)."""

    namespace: str
    pod: str
    container: str
    workload: str = ""


class Chunk(msgspec.Struct, frozen=True, eq=False):
    """Samples of one container and metric, in order of time; `times` (seconds since the epoch) and
    `values` are numpy arrays of float64 of the same length. Chunks of one series may overlap at
    their edges and may come from several replicas of a server: `replica` tells them apart.
    """

    of: Owned
    metric: Metric
    times: Any
    values: Any
    replica: str = ""


class Gap(msgspec.Struct, frozen=True):
    """Something that could not be had: which query, for whom, and why."""

    what: str
    why: str
    namespace: str = ""


class Source(Protocol):
    """Where samples come from. All chunks of one namespace come before those of the next."""

    def chunks(self, since: float, until: float) -> Iterator[Chunk | Gap]:
        """The samples of a time window (seconds since the epoch). Raises Unreachable."""
