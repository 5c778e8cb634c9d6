"""What a source gave, put together again: samples by container, metric and series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from tests.support.resources.series import Array, Truth

from martello.adapters.prometheus.settings import Settings
from martello.core.usage import Chunk, Gap, Source

Key = tuple[str, str, str, str, str]  # namespace, pod, container, metric, series


class Sampled:
    """Everything of one reading; namespaces must come one after the other."""

    def __init__(self, given: Iterable[Chunk | Gap]) -> None:
        self.gaps: list[Gap] = []
        self.chunks: list[Chunk] = []
        self.workloads: dict[tuple[str, str], str] = {}
        self.namespaces: list[str] = []
        for one in given:
            if isinstance(one, Gap):
                self.gaps.append(one)
                continue
            self.chunks.append(one)
            of = one.of
            self.workloads[of.namespace, of.pod] = of.workload
            if self.namespaces[-1:] != [of.namespace]:
                assert of.namespace not in self.namespaces
                self.namespaces.append(of.namespace)
            assert len(one.times) == len(one.values) > 0
            assert (np.diff(one.times) > 0).all()

    def series(self) -> dict[Key, tuple[Array, Array]]:
        """Times and values of each series, chunks joined in the order they came."""
        parts: dict[Key, list[Chunk]] = {}
        for one in self.chunks:
            of = one.of
            key = (of.namespace, of.pod, of.container, one.metric, one.series)
            parts.setdefault(key, []).append(one)
        return {
            key: (
                np.concatenate([one.times for one in those]),
                np.concatenate([one.values for one in those]),
            )
            for key, those in parts.items()
        }

    def of(self, at: str, metric: str) -> tuple[Array, Array]:
        """The one series of a container `namespace/pod/container`."""
        (found,) = [
            pair
            for key, pair in self.series().items()
            if ("/".join(key[:3]), key[3]) == (at, metric)
        ]
        return found


def read(source: Source, since: float, until: float) -> Sampled:
    """Everything that a source gives of a window."""
    return Sampled(source.chunks(since, until))


def same(found: tuple[Array, Array], truth: Truth, since: float = 0, until: float = 1e12) -> bool:
    """Whether these are exactly the samples of a truth in a window."""
    within = (truth.times >= since) & (truth.times < until)
    return np.array_equal(found[0], truth.times[within]) and np.array_equal(
        found[1], truth.values[within]
    )


def quick(url: str, **more: Any) -> Settings:
    """Settings that do not wait."""
    chosen: dict[str, Any] = {"sleep": lambda seconds: None, "chance": lambda: 0.0, "environ": {}}
    return Settings(url=url, **{**chosen, **more})
