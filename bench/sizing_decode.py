"""Answers of Prometheus as arrays, beside what json.loads and float make of the same bytes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import numpy as np

from martello.adapters.prometheus import decode

SERIES: Final = 50
SAMPLES: Final = 10_000  # of each
LEAST: Final = 4.0  # times as fast as the baseline
_TURNS: Final = 3
_URL: Final = "http://bench"


def main() -> int:
    """Prints samples a second of CPU; 1 where it is not LEAST times as fast."""
    body = answer()
    ours, theirs = _typical(lambda: _ours(body)), _typical(lambda: _baseline(body))
    for one, other in zip(_ours(body), _baseline(body), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    count = SERIES * SAMPLES
    print(f"  decode: {count:,} samples of {SERIES} series, {len(body) / (1 << 20):.0f} MiB")
    print(f"    martello             {count / ours / 1e6:8.2f} M samples/s of CPU")
    print(f"    json.loads, float    {count / theirs / 1e6:8.2f} M samples/s of CPU")
    print(f"    json.loads / martello {theirs / ours:7.1f} x    (at least {LEAST:g})\n")
    return int(theirs / ours < LEAST)


def answer() -> bytes:
    """What Prometheus says to a question for a counter with a range selector."""
    rng = random.Random(1)
    result: list[dict[str, Any]] = []
    for number in range(SERIES):
        value = 0.0
        values: list[list[Any]] = []
        for at in range(SAMPLES):
            value += rng.random() * 30
            values.append([1_767_225_600.123 + 30 * at, f"{value:.9f}".rstrip("0")])
        labels = {"namespace": "shop", "pod": f"web-{number}", "container": "app"}
        result.append({"metric": labels, "values": values})
    data = {"resultType": "matrix", "result": result}
    return json.dumps({"status": "success", "data": data}, separators=(",", ":")).encode()


def _ours(body: bytes) -> list[decode.Pair]:
    data, _ = decode.opened(body, _URL)
    return [decode.samples(one.values, _URL) for one in decode.matrix(data, _URL)]


def _baseline(body: bytes) -> list[decode.Pair]:
    return [
        (
            np.array([float(time_) for time_, _ in one["values"]]),
            np.array([float(value) for _, value in one["values"]]),
        )
        for one in json.loads(body)["data"]["result"]
    ]


def _typical(work: Callable[[], object]) -> float:
    """Seconds of CPU: the median of some turns."""
    spent: list[float] = []
    for _ in range(_TURNS):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return median(spent)
