"""Which workloads a selector selects, in one namespace or in several."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, Final

from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.workload import Workload

_NONE: Final[Labelled[Workload]] = Labelled(())


class Selection:
    """The workloads of one cluster by namespace and by the labels of their pods."""

    __slots__ = ("_all", "_by_namespace")

    def __init__(self, workloads: Iterable[Workload]) -> None:
        held: dict[str, list[tuple[dict[str, str], Workload]]] = {}
        for workload in workloads:
            held.setdefault(workload.namespace, []).append((workload.labels, workload))
        self._by_namespace = {name: Labelled(pairs) for name, pairs in held.items()}
        self._all: Labelled[Workload] | None = None

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces with workloads, as they are written (`""` where none is), sorted."""
        return tuple(sorted(self._by_namespace))

    def of(self, namespace: str) -> tuple[Workload, ...]:
        """Every workload of a namespace."""
        return self._by_namespace.get(namespace, _NONE).things

    def selected(self, namespace: str, selector: Any) -> tuple[Workload, ...]:
        """What a LabelSelector selects. Raises MalformedSelector for what the server refuses."""
        return self._by_namespace.get(namespace, _NONE).selected(selector)

    def across(self, namespaces: Collection[str], selector: Any) -> tuple[Workload, ...]:
        """What a LabelSelector selects in some namespaces. Raises MalformedSelector as above."""
        found = self._everything().selected(selector)
        return tuple(w for w in found if w.namespace in namespaces)

    def _everything(self) -> Labelled[Workload]:
        if self._all is None:
            lists = [self.of(name) for name in self.namespaces]
            self._all = Labelled((w.labels, w) for one in lists for w in one)
        return self._all

    def meant(self, namespace: str, wanted: Any) -> tuple[Workload, ...]:
        """What the plain map of a Service may be meant for: where one side writes no namespace, it
        may be any. Raises MalformedSelector as above.
        """
        if not namespace:
            return self._everything().mapped(wanted)
        return self.mapped(namespace, wanted) + self.mapped("", wanted)

    def mapped(self, namespace: str, wanted: Any) -> tuple[Workload, ...]:
        """What the plain map of a Service selects. Raises MalformedSelector as above."""
        return self._by_namespace.get(namespace, _NONE).mapped(wanted)


@lru_cache(maxsize=2)
def selection(cluster: Cluster) -> Selection:
    """The index of a cluster, built once: a Cluster never changes."""
    return Selection(cluster.workloads())
