"""Advice for a thousand workloads, from answers of Prometheus to sizes and backtests: time of CPU
and memory of a process of its own. WORKLOADS and DAYS in the environment make it smaller.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

WORKLOADS: Final = int(os.environ.get("WORKLOADS", "1000"))
DAYS: Final = int(os.environ.get("DAYS", "14"))
SECONDS: Final = 60.0  # of CPU at most, for 1,000 workloads and 14 days
MEBIBYTES: Final = 500.0  # of memory at most
STEP: Final = 30.0
PIECE: Final = 6 * 3600.0  # seconds of one answer
SERIES: Final = 50  # of one answer
SPACE: Final = 100  # workloads of a namespace
BEGIN: Final = 1_767_571_200.0
_KINDS: Final = 4  # answers that are told again at other times
_URL: Final = "http://bench"


def main() -> int:
    """Prints what it took; 1 where it is too much."""
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "bench.sizing_advise"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=here)
    spent, memory, advised, samples, kills = map(float, done.stdout.split())
    print(f"  advise: {WORKLOADS:,} workloads, {DAYS} days at {STEP:.0f} s")
    print(
        f"    samples {samples:15,.0f}   advised {advised:,.0f}   kills in backtests {kills:,.0f}"
    )
    print(f"    CPU     {spent:13.1f} s   (at most {SECONDS:.0f} for 1,000 of 14 days)")
    print(f"    memory  {memory:11.0f} MiB   (at most {MEBIBYTES:.0f})\n")
    return int(spent > SECONDS or memory > MEBIBYTES)


def _measure() -> None:
    """The work itself: seconds, MiB, containers, samples, kills."""
    from martello.practices.resources.sizing.advise import advise
    from martello.practices.resources.usage.gather import gather, window

    bodies = {
        metric: [_body(metric, kind) for kind in range(_KINDS)] for metric in ("cpu", "memory")
    }
    begun = time.process_time()
    counted: dict[str, int] = {"samples": 0}
    advised = kills = 0
    span = window(BEGIN, BEGIN + DAYS * 86_400)
    for demand in gather(_chunks(bodies, counted), span):
        made = advise(demand)
        advised += made.sizes is not None
        mine = made.backtest.of("advice") if made.backtest else None
        kills += mine.tried.kills if mine else 0
    spent = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(spent, memory, advised, counted["samples"], kills)


def _chunks(bodies: dict[str, list[bytes]], counted: dict[str, int]) -> Iterator[Any]:
    """What the source makes of answers: a namespace, a metric, a piece of time after another."""
    from martello.adapters.prometheus import decode
    from martello.adapters.prometheus.dedupe import one
    from martello.core.usage import Chunk, Counts, Owned

    counts = Counts()
    for space in range(0, WORKLOADS, SPACE):
        for metric, answers in bodies.items():
            lasts: dict[int, Any] = {}
            raised: dict[int, float] = {}
            for piece in range(int(DAYS * 86_400 / PIECE)):
                late = piece * PIECE
                for batch in range(space, min(space + SPACE, WORKLOADS), SERIES):
                    body = answers[(piece + batch // SERIES) % _KINDS]
                    data, _ = decode.opened(body, _URL)
                    for number, series in enumerate(decode.matrix(data, _URL)):
                        which = batch + number
                        times, values = decode.samples(series.values, _URL)
                        if metric == "cpu":  # a counter goes on where it was
                            values = values + raised.get(which, 0.0)
                            raised[which] = float(values[-1])
                        pair = decode.tidy((times + late, values), BEGIN, BEGIN + 1e9, counts)
                        seen, last = one(
                            {"": pair}, lasts.get(which), counts, counter=metric == "cpu"
                        )
                        lasts[which] = last
                        counted["samples"] += len(seen[0])
                        of = Owned(f"space-{space}", f"web-{which}-x", "app", f"deploy/web-{which}")
                        yield Chunk(of, metric, *seen)  # type: ignore[arg-type]


def _body(metric: str, kind: int) -> bytes:
    """An answer of SERIES series over a piece of time, as Prometheus writes it."""
    import orjson

    rng = np.random.default_rng([kind, metric == "cpu"])
    count = int(PIECE / STEP)
    times = (BEGIN + 3.125 + np.arange(count) * STEP).tolist()
    result = []
    for number in range(SERIES):
        base = 1e8 * (1 + number)
        made = (
            np.cumsum(rng.gamma(2.0, 1.5, count))
            if metric == "cpu"
            else np.round(base * (1 + 0.1 * rng.random(count)))
        )
        texts = [f"{value:.6f}" if metric == "cpu" else f"{value:.0f}" for value in made.tolist()]
        pairs = [[at, text] for at, text in zip(times, texts, strict=True)]
        result.append({"metric": {"pod": f"web-{number}"}, "values": pairs})
    return orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


if __name__ == "__main__":
    _measure()
