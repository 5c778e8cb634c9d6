"""What is asked: the series of each metric, as a selector, and time in pieces that are neither too
small nor too large.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from martello.core.usage import METRICS, Metric

# Metric → the series that tell it, best first: name, and further matchers.
NAMES: Final[Mapping[Metric, tuple[tuple[str, str], ...]]] = {
    "cpu": (("container_cpu_usage_seconds_total", ""),),
    "memory": (("container_memory_working_set_bytes", ""),),
    "periods": (("container_cpu_cfs_periods_total", ""),),
    "throttled": (("container_cpu_cfs_throttled_periods_total", ""),),
    "kills": (("container_oom_events_total", ""),),
    "restarts": (("kube_pod_container_status_restarts_total", ""),),
    "killed": (("kube_pod_container_status_last_terminated_reason", 'reason="OOMKilled"'),),
    "pids": (("container_threads", ""), ("container_processes", "")),
    "disk": (("container_fs_usage_bytes", ""),),
    "cpu limit": (
        ("kube_pod_container_resource_limits", 'resource="cpu"'),
        ("kube_pod_container_resource_limits_cpu_cores", ""),  # kube-state-metrics before 2.0
    ),
    "memory limit": (
        ("kube_pod_container_resource_limits", 'resource="memory"'),
        ("kube_pod_container_resource_limits_memory_bytes", ""),
    ),
}
# Metric → what tells its mean over a while: whose series, and the function over them.
_MEANS: Final[Mapping[Metric, tuple[Metric, str]]] = {
    "cores": ("cpu", "rate"),
    "memory": ("memory", "avg_over_time"),
    "pids": ("pids", "avg_over_time"),
}
ASKED: Final[tuple[Metric, ...]] = tuple(metric for metric in METRICS if metric in NAMES)
# They hardly ever change: their value at every step is enough, and a tenth of the samples.
STEPPED: Final[frozenset[Metric]] = frozenset(("restarts", "killed", "cpu limit", "memory limit"))
MOST_STEPS: Final = 10_000  # of one series; Prometheus gives 11,000
_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")
Window = tuple[int, int]  # milliseconds since the epoch; the second is not in it


class Scope(msgspec.Struct, frozen=True):
    """Whose series: of these namespaces and pods whose names begin so (empty: all), and of one
    cluster where several report.
    """

    namespaces: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    cluster: tuple[str, str] | None = None

    def selector(
        self, name: str, more: str = "", namespace: str = "", *, containers: bool = True
    ) -> str:
        """The selector of a metric's series; of `containers`: without those of pods' sandboxes and
        of whole cgroups.
        """
        found: list[str] = []
        if namespace:
            found.append(f"namespace={quoted(namespace)}")
        elif self.namespaces:
            found.append(f"namespace=~{quoted(either(self.namespaces))}")
        if containers:
            found += ['container!=""', 'container!="POD"']
        if self.pods:
            found.append(f"pod=~{quoted(f'(?:{either(self.pods)}).*')}")
        if self.cluster:
            found.append(f"{self.cluster[0]}={quoted(self.cluster[1])}")
        if more:
            found.append(more)
        return f"{name}{{{','.join(found)}}}"


def names(metric: Metric, *, means: bool = False) -> tuple[tuple[str, str], ...]:
    """The series that tell a metric, best first; none where it is not to be had so."""
    if means:
        metric = _MEANS[metric][0] if metric in _MEANS else metric
    elif metric not in NAMES:
        return ()
    return NAMES[metric]


def mean(metric: Metric, selector: str, step: float) -> str:
    """The mean of a metric over the `step` seconds before each moment."""
    return f"{_MEANS[metric][1]}({selector}[{int(step)}s])"


def quoted(text: str) -> str:
    """A string of PromQL, whatever is in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def either(words: Iterable[str]) -> str:
    """A regular expression (RE2) for any of these words, literally."""
    return "|".join(_SPECIAL.sub(r"\\\1", word) for word in words)


def raw(selector: str, window: Window) -> Mapping[str, str]:
    """The question for every sample of a window.

    A range is closed in Prometheus 2 and open on its left in Prometheus 3: evaluated at the last
    millisecond of the window, and as long as it, it holds the whole window in both, and in 2 the
    millisecond before, which is dropped.
    """
    begin, end = window
    return {"query": f"{selector}[{end - begin}ms]", "time": seconds(end - 1)}


def stepped(selector: str, window: Window, step: float) -> Mapping[str, str]:
    """The question for values at the multiples of a step within a window."""
    begin, end = window
    each = int(step * 1000)
    first = -(-begin // each) * each
    last = max(first, (end - 1) // each * each)
    return {
        "query": selector,
        "start": seconds(first),
        "end": seconds(last),
        "step": seconds(each),
    }


def seconds(milliseconds: int) -> str:
    """A time as the API takes it."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


class Pieces:
    """A window of time, piece by piece: each as long as the last answers let hope that it brings
    `wanted` samples. All in milliseconds.
    """

    def __init__(self, window: Window, first: int, smallest: int, wanted: int, most: int) -> None:
        self._at, self._end = window
        self.size = max(1, min(first, most))
        self._smallest = smallest
        self._wanted = wanted
        self._most = most

    def piece(self) -> Window | None:
        """The piece to ask for next; the same one until `done`, `skip` or `halve`."""
        if self._at >= self._end:
            return None
        return self._at, min(self._end, self._at + self.size)

    def done(self, samples: int) -> None:
        """The piece was answered with so many samples."""
        begin, end = self.piece() or (0, 1)
        self._at = end
        fits = (end - begin) * self._wanted // max(1, samples)
        self.size = max(1, min(self._most, self.size * 8, max(fits, self._smallest)))

    def halve(self, *, lasting: bool = True) -> bool:
        """Ask for less, and, `lasting`, never again for as much; False where a piece is small
        enough.
        """
        begin, end = self.piece() or (0, 0)
        if end - begin <= self._smallest:
            return False
        self.size = max(self._smallest, -(-(end - begin) // 2))
        if lasting:
            self._most = self.size
        return True

    def skip(self) -> Window:
        """Go on behind the piece."""
        found = self.piece() or (self._end, self._end)
        self._at = found[1]
        return found
