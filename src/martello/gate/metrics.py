"""What the gate counts, as OpenMetrics text."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 2.5)
# Labels hold known words only: whoever can reach the port must not fill the memory.
_KINDS: Final = frozenset(
    (
        *("Pod", "EphemeralContainers", "PodTemplate", "ReplicationController", "Deployment"),
        *("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"),
    )
)
_OPERATIONS: Final = frozenset(("CREATE", "UPDATE", "DELETE", "CONNECT"))
_HELP: Final[Mapping[str, str]] = {
    "reviews": "Reviews that were answered",
    "failures": "Requests that got no verdict, by HTTP status",
    "images_missing": "Images that nobody knew when they were asked for",
    "images_asked": "Images that were asked to be scanned",
    "break_glass": "Objects that were let in by break-glass",
}


class Metrics:
    """Counters and one histogram. For the thread of the event loop."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0

    def review(self, door: str, kind: str, operation: str, verdict: str, seconds: float) -> None:
        """One review, and how long its judges took."""
        self.count(
            "reviews",
            door=door,
            kind=kind if kind in _KINDS else "other",
            operation=operation if operation in _OPERATIONS else "other",
            verdict=verdict,
        )
        self._buckets[bisect_left(_BOUNDS, seconds)] += 1
        self._seconds += seconds

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Adds to a counter of `_HELP`."""
        self._counts[name, tuple(sorted(labels.items()))] += by

    def text(self, gauges: Mapping[str, tuple[str, float]], counters: Mapping[str, int]) -> str:
        """Everything, with gauges (name → help and value) and further counters of others."""
        lines: list[str] = []
        for name, help in _HELP.items():
            full = f"martello_gate_{name}"
            lines += [f"# TYPE {full} counter", f"# HELP {full} {help}."]
            lines += sorted(
                f"{full}_total{_labels(labels)} {value}"
                for (counted, labels), value in self._counts.items()
                if counted == name
            )
        for name, value in counters.items():
            full = f"martello_gate_{name}"
            lines += [f"# TYPE {full} counter", f"{full}_total {value}"]
        for name, (help, amount) in gauges.items():
            full = f"martello_gate_{name}"
            lines += [f"# TYPE {full} gauge", f"# HELP {full} {help}.", f"{full} {amount:g}"]
        return "\n".join((*lines, *self._histogram(), "# EOF\n"))

    def _histogram(self) -> Iterable[str]:
        full, reached = "martello_gate_review_seconds", 0
        yield f"# TYPE {full} histogram"
        yield f"# UNIT {full} seconds"
        for bound, count in zip((*_BOUNDS, float("inf")), self._buckets, strict=True):
            reached += count
            name = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'{full}_bucket{{le="{name}"}} {reached}'
        yield f"{full}_count {reached}"
        yield f"{full}_sum {self._seconds:.6f}"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    inner = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""
