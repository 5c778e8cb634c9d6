"""Series with known samples, as the exporters of a cluster would tell them: for files in
OpenMetrics, for a fake of Prometheus' API, and as the truth to compare with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

BEGIN: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
Array = np.ndarray[Any, np.dtype[Any]]


class Truth(msgspec.Struct, frozen=True, eq=False):
    """One series: its labels with `__name__`, times in whole milliseconds, values."""

    labels: Mapping[str, str]
    times: Array
    values: Array


def truth(
    name: str, times: Sequence[float] | Array, values: Sequence[float] | Array, **labels: str
) -> Truth:
    """A series; times in seconds are rounded to milliseconds, as Prometheus keeps them."""
    at = np.round(np.asarray(times, dtype=np.float64) * 1000) / 1000
    return Truth({"__name__": name, **labels}, at, np.asarray(values, dtype=np.float64))


def container(
    name: str, times: Sequence[float] | Array, values: Sequence[float] | Array, at: str, **more: str
) -> Truth:
    """A series of cAdvisor for a container `namespace/pod/container`."""
    namespace, pod, container = at.split("/")
    more.setdefault("id", f"/kubepods/{namespace}/{pod}/{container}")
    return truth(name, times, values, namespace=namespace, pod=pod, container=container, **more)


def owner(namespace: str, pod: str, kind: str, name: str, times: Array) -> Truth:
    """kube-state-metrics' word on whose a pod is."""
    ones = np.ones(len(times))
    labels = {"namespace": namespace, "pod": pod, "owner_kind": kind, "owner_name": name}
    return truth("kube_pod_owner", times, ones, owner_is_controller="true", **labels)


def of_set(namespace: str, replicaset: str, kind: str, name: str, times: Array) -> Truth:
    """kube-state-metrics' word on whose a ReplicaSet is."""
    ones = np.ones(len(times))
    labels = {"replicaset": replicaset, "owner_kind": kind, "owner_name": name}
    return truth("kube_replicaset_owner", times, ones, namespace=namespace, **labels)


def openmetrics(series: Iterable[Truth]) -> Iterator[str]:
    """The lines of an OpenMetrics file with these series, for promtool. Families lie together, as
    the format wants; a counter's family is named without `_total`.
    """
    families: dict[str, list[Truth]] = {}
    for one in series:
        families.setdefault(one.labels["__name__"], []).append(one)
    for name, members in families.items():
        family = name.removesuffix("_total")
        yield f"# TYPE {family} {'counter' if name.endswith('_total') else 'gauge'}\n"
        for one in members:
            told = ",".join(
                f'{k}="{_escaped(v)}"' for k, v in one.labels.items() if k != "__name__"
            )
            for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
                yield f"{name}{{{told}}} {value!r} {at:.3f}\n"
    yield "# EOF\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
