"""Which workloads a selector selects, from an index by label instead of a walk over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from martello.core.cluster import Cluster
from martello.core.selector import equal, matches
from martello.core.workload import Workload


class Selection:
    """The workloads of one cluster by namespace and by the labels of their pods."""

    __slots__ = ("_answers", "_by_label", "_by_namespace")

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._answers: dict[tuple[str, str], tuple[Workload, ...]] = {}
        self._by_namespace: dict[str, list[Workload]] = {}
        self._by_label: dict[tuple[str, str, str], list[Workload]] = {}
        for workload in workloads:
            namespace = workload.namespace
            self._by_namespace.setdefault(namespace, []).append(workload)
            for key, value in workload.labels.items():
                self._by_label.setdefault((namespace, key, value), []).append(workload)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces with workloads, as they are written (`""` where none is), sorted."""
        return tuple(sorted(self._by_namespace))

    def of(self, namespace: str) -> Sequence[Workload]:
        """Every workload of a namespace."""
        return self._by_namespace.get(namespace, ())

    def selected(self, namespace: str, selector: Any) -> tuple[Workload, ...]:
        """What a LabelSelector selects. Raises MalformedSelector for what the server refuses."""
        key = (namespace, repr(selector))
        found = self._answers.get(key)
        if found is None:
            matches(selector, {})  # refuses a malformed selector even where nothing could match it
            wanted = selector.get("matchLabels") if isinstance(selector, dict) else None
            narrowed = self._narrowed(namespace, wanted)
            found = tuple(w for w in narrowed if matches(selector, w.labels))
            self._answers[key] = found
        return found

    def mapped(self, namespace: str, wanted: Any) -> tuple[Workload, ...]:
        """What the plain map of a Service selects. Raises MalformedSelector as above."""
        equal(wanted, {})
        return tuple(w for w in self._narrowed(namespace, wanted) if equal(wanted, w.labels))

    def _narrowed(self, namespace: str, wanted: Any) -> Sequence[Workload]:
        """The shortest list that holds every workload with all these labels."""
        best = self.of(namespace)
        if isinstance(wanted, Mapping):
            for key, value in wanted.items():
                if not isinstance(value, str):
                    return ()
                found = self._by_label.get((namespace, key, value), [])
                if len(found) < len(best):
                    best = found
        return best


@lru_cache(maxsize=2)
def selection(cluster: Cluster) -> Selection:
    """The index of a cluster, built once: a Cluster never changes."""
    return Selection(cluster.workloads())
